"""The child process behind the local bucket: moto's S3, and nothing else of moto.

It picks its own port, prints it, and lives as long as its standard input.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from typing import Any

from moto.moto_server import werkzeug_app
from moto.moto_server.utilities import RegexConverter
from werkzeug.serving import make_server


class _AnyCharacter(RegexConverter):
    """Without it moto answers 404 to a key that holds a line feed."""

    def __init__(self, url_map: Any, *items: Any) -> None:
        super().__init__(url_map, *items)
        self.regex = f"(?s:{self.regex})"


class _Handler(werkzeug_app.MotoRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: a line for each request helps nobody."""

    def send_header(self, keyword: str, value: str) -> None:
        # moto sends two Server headers, which a strict client refuses.
        is_server = keyword.lower() == "server"
        if not (is_server and self._has_server_header):
            super().send_header(keyword, value)
        self._has_server_header |= is_server

    def handle_one_request(self) -> None:
        self._has_server_header = False
        super().handle_one_request()


def main() -> None:
    threading.Thread(target=_die_with_parent, daemon=True).start()
    vars(werkzeug_app)["RegexConverter"] = _AnyCharacter
    # A socket of our own, since the server would look up a name for the address of
    # one that it opens, which can take seconds where there is no network.
    listener = socket.create_server(("127.0.0.1", 0))
    server = make_server(
        "127.0.0.1",
        0,
        werkzeug_app.create_backend_app("s3"),
        threaded=True,
        request_handler=_Handler,
        fd=listener.fileno(),
    )
    print(server.port, flush=True)
    server.serve_forever()


def _die_with_parent() -> None:
    # The other end of this pipe closes however the parent ends, kill -9 included.
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
