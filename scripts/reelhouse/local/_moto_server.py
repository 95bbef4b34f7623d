"""The child process of the local bucket: serves S3 by moto and no other service."""

from __future__ import annotations

import os
import re
from secrets import compare_digest
from typing import Any

from moto.moto_server import werkzeug_app
from moto.moto_server.utilities import RegexConverter
from werkzeug.wrappers import Request, Response

from reelhouse.local.bucket import KEY_ID
from reelhouse.local.child import run_server

# The key id in the Authorization header of a request.
NAMED = re.compile(r"^AWS4-HMAC-SHA256 Credential=([^/]+)/")
REFUSAL = (
    "<Error><Code>InvalidAccessKeyId</Code><Message>The AWS access key id is not that "
    "of this server.</Message></Error>"
)


class _AnyCharacter(RegexConverter):
    """Match line feeds too: moto would answer 404 to a key that contains one."""

    def __init__(self, url_map: Any, *items: Any) -> None:
        super().__init__(url_map, *items)
        self.regex = f"(?s:{self.regex})"


class _Handler(werkzeug_app.MotoRequestHandler):
    def send_header(self, keyword: str, value: str) -> None:
        # moto sends two Server headers, which a strict client refuses.
        is_server = keyword.lower() == "server"
        if not (is_server and self._has_server_header):
            super().send_header(keyword, value)
        self._has_server_header |= is_server

    def handle_one_request(self) -> None:
        self._has_server_header = False
        super().handle_one_request()


def _checked(app: Any, key: str) -> Any:
    """Accept only requests with the key id of this server; moto itself checks none."""

    def answer(environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        named = NAMED.match(request.headers.get("Authorization", ""))
        if not (named and compare_digest(named[1].encode(), key.encode())):
            refusal = Response(REFUSAL, 403, mimetype="application/xml")
            return refusal(environ, start_response)
        return app(environ, start_response)

    return answer


def main() -> None:
    vars(werkzeug_app)["RegexConverter"] = _AnyCharacter
    app = werkzeug_app.create_backend_app("s3")
    run_server(_checked(app, os.environ[KEY_ID]), _Handler)


if __name__ == "__main__":
    main()
