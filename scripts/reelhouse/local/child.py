"""Run a local server as a child process that never outlives its parent.

The child picks its port, prints it, and ends when its standard input is closed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import urlsplit

from reelhouse.errors import ReelhouseError

START_SECONDS = 60.0
STOP_SECONDS = 5.0

# Host names that clients of a local server use. A web page whose own name resolves to
# this machine would use that name instead.
HOSTS = ("127.0.0.1", "localhost", "::1")

# Variables that keep requests to a local server from going through a proxy.
LOOPBACK_ONLY = {
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}


@contextmanager
def serve(
    module: str, name: str, environ: Mapping[str, str], start_seconds: float
) -> Iterator[int]:
    """Run a module as a server until the block ends; yield its port on loopback.

    `name` is its name in messages. Its stderr goes to a temporary log, whose last line
    is reported if it does not start. Raises ReelhouseError if it does not start, or
    does not answer within `start_seconds`.
    """
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            # -P: a module in the current folder must not shadow a library.
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=dict(environ),
            # Its own session: Ctrl-C in the terminal reaches only the parent.
            start_new_session=True,
        ) as child,
    ):
        assert child.stdin is not None
        try:
            port = _read_port(child, log, name, start_seconds)
        except BaseException:
            child.kill()
            raise
        try:
            yield port
        finally:
            # The child cleans up and ends when its standard input is closed.
            child.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(STOP_SECONDS)
            child.kill()


def _read_port(
    child: subprocess.Popen[bytes], log: IO[bytes], name: str, start_seconds: float
) -> int:
    """The port that the child prints once it listens."""
    assert child.stdout is not None
    deadline = time.monotonic() + start_seconds
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise ReelhouseError(
                    f"The local {name} did not answer within {start_seconds:g} "
                    f"seconds: try again when the machine is less busy."
                )
            piece = os.read(child.stdout.fileno(), 64)
            if not piece:
                raise ReelhouseError(
                    f"The local {name} did not start ({_last_line(log)}): "
                    f"run 'make run' to install what it needs."
                )
            line += piece
    return int(line)


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "no output")


def listens(port: int) -> bool:
    """Whether a server answers on this port of the machine."""
    with socket.socket() as probe:
        probe.settimeout(STOP_SECONDS)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run_server(
    app: Any, handler: Any = None, tidy_up: Callable[[], object] = lambda: None
) -> None:
    """In the child: serve a WSGI application until the parent ends in any way.

    Then call `tidy_up`, even if the parent was ended by kill -9.
    """
    from werkzeug.serving import make_server

    # Do not log every request.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    threading.Thread(target=_die_with_parent, args=[tidy_up], daemon=True).start()
    # Open the socket here: werkzeug would look up a host name for a socket that it
    # opens itself, which can take seconds without a network.
    listener = socket.create_server(("127.0.0.1", 0))
    server = make_server(
        "127.0.0.1",
        0,
        _for_programs(app),
        threaded=True,
        request_handler=handler,
        fd=listener.fileno(),
    )
    print(server.port, flush=True)
    server.serve_forever()


def _for_programs(app: Any) -> Any:
    """Refuse requests that a browser sends for a web page, whatever its origin."""
    from werkzeug.wrappers import Request, Response

    def answer(environ: Any, start_response: Any) -> Any:
        headers = Request(environ).headers
        host = urlsplit(f"//{headers.get('Host', '')}").hostname
        if host not in HOSTS or headers.get("Origin"):
            return Response("No web page is answered.", 403)(environ, start_response)
        return app(environ, start_response)

    return answer


def _die_with_parent(tidy_up: Callable[[], object]) -> None:
    # The parent's end of this pipe closes, however the parent ends.
    sys.stdin.buffer.read()
    try:
        tidy_up()
    finally:
        os._exit(0)
