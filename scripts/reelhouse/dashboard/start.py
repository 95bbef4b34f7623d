"""Start: serve the app on this machine alone."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import redirect_stdout
from pathlib import Path

from reelhouse.dashboard.theme import app_options
from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings, environment

HOST = "127.0.0.1"
USUAL_PORT = 8501
APP = Path(__file__).with_name("app.py")

# Streamlit reads options of the user and of the folder too; these outrank them.
OPTIONS: dict[str, str | tuple[str, ...]] = {
    # Nothing is asked of other machines, and nobody else is let in.
    "server.address": HOST,
    "browser.serverAddress": HOST,
    "browser.gatherUsageStats": "false",
    "server.showEmailPrompt": "false",
    "server.headless": "true",
    # A web page whose name leads here is no reader.
    "server.allowedHosts": (HOST, "localhost"),
    "server.enableCORS": "true",
    "server.baseUrlPath": "",
    "server.sslCertFile": "",
    "server.sslKeyFile": "",
    "server.fileWatcherType": "none",
    "server.enableAgentApi": "false",
    # Its own export would leave formulas as they are.
    "client.disableDataExport": "true",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "client.toolbarMode": "minimal",
    "logger.level": "error",
    "logger.hideWelcomeMessage": "true",
    "runner.magicEnabled": "false",
}


def free_port(port: int | None) -> int:
    """The port that was asked for, or the usual one, or any that is free.

    Raises ReelhouseError where the one that was asked for is in use.
    """
    for wanted in (port,) if port is not None else (USUAL_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, wanted or 0))
            except (OSError, OverflowError):
                continue
            return int(probe.getsockname()[1])
    raise ReelhouseError(
        f"Port {port} cannot be had: another program uses it, or it is not yours to "
        f"use; name another with --port, or none for any that is free."
    )


def start(settings: Settings, port: int, is_preview: bool = False) -> None:
    """Serve the app until Ctrl-C, on what is published, or else on what is built."""
    from streamlit.web import cli as streamlit

    options = OPTIONS | app_options() | {"server.port": str(port)}
    arguments = [
        f"--{name}={each}"
        for name, value in options.items()
        for each in ((value,) if isinstance(value, str) else value)
    ]
    if is_preview:
        arguments += ["--", "--preview"]
    variables = {
        "DBT_TARGET": settings.target,
        "REELHOUSE_WAREHOUSE": str(settings.warehouse),
    }
    # Where nobody reads its last words any more, it would not end.
    with (
        environment(variables),
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
    ):
        streamlit.main(["run", str(APP), *arguments], standalone_mode=False)
    # Python that ends in the middle of a query takes the process down: wait a little.
    for thread in threading.enumerate():
        if thread.name == "ScriptRunner.scriptThread":
            thread.join(timeout=10)
