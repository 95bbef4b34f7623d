"""Start: serve the app on this machine only."""

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

# Streamlit reads options of the user and of the folder too; these override them.
OPTIONS: dict[str, str | tuple[str, ...]] = {
    # Send no requests to other machines, and accept none from them.
    "server.address": HOST,
    "browser.serverAddress": HOST,
    "browser.gatherUsageStats": "false",
    "server.showEmailPrompt": "false",
    "server.headless": "true",
    # Refuse a web page whose own host name resolves to this machine.
    "server.allowedHosts": (HOST, "localhost"),
    "server.enableCORS": "true",
    "server.baseUrlPath": "",
    "server.sslCertFile": "",
    "server.sslKeyFile": "",
    "server.fileWatcherType": "none",
    "server.enableAgentApi": "false",
    # Streamlit's own CSV export would leave formulas as they are.
    "client.disableDataExport": "true",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "client.toolbarMode": "minimal",
    "logger.level": "error",
    "logger.hideWelcomeMessage": "true",
    "runner.magicEnabled": "false",
}


def free_port(port: int | None) -> int:
    """Return the requested port; without one, the usual port or any that is free.

    Raises ReelhouseError if the requested port cannot be used.
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
        f"Port {port} is not available, since it is in use or needs more rights: name "
        f"another with --port, or omit --port for any free one."
    )


def start(settings: Settings, port: int, is_preview: bool = False) -> None:
    """Serve the app until Ctrl-C, on what is published or, as a preview, built."""
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
    # Discard Streamlit's output: if nobody could read its last line, it would not end.
    with (
        environment(variables),
        Path(os.devnull).open("w") as nowhere,
        redirect_stdout(nowhere),
    ):
        streamlit.main(["run", str(APP), *arguments], standalone_mode=False)
    # If Python ends in the middle of a query, the process crashes: wait a little.
    for thread in threading.enumerate():
        if thread.name == "ScriptRunner.scriptThread":
            thread.join(timeout=10)
