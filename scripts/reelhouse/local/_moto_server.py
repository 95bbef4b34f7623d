"""The child process behind the local bucket: moto's S3, and nothing else of moto."""

from __future__ import annotations

from typing import Any

from moto.moto_server import werkzeug_app
from moto.moto_server.utilities import RegexConverter

from reelhouse.local.child import run_server


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
    vars(werkzeug_app)["RegexConverter"] = _AnyCharacter
    run_server(werkzeug_app.create_backend_app("s3"), _Handler)


if __name__ == "__main__":
    main()
