"""A proxy in front of the local S3 that misbehaves on order."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Answer = Callable[["Handler"], None]

# Longer than the tests are ready to wait.
HANG_SECONDS = 0.6


@dataclass
class Order:
    """What happens to requests such as "GET /bucket/key", and how often."""

    pattern: str
    answer: Answer
    times: int


@dataclass
class Proxy:
    """Passes requests on, but for those that an order is for; keeps what was asked."""

    upstream: str
    endpoint: str = ""
    orders: list[Order] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def will(self, answer: Answer, on: str, times: int = 10**9) -> None:
        self.orders.append(Order(on, answer, times))

    def order_for(self, request: str) -> Order | None:
        for order in self.orders:
            if order.times and re.search(order.pattern, request):
                order.times -= 1
                return order
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        # A body that is not read would be taken for the next request.
        self.body = self.rfile.read(length)
        request = f"{self.command} {self.path}"
        self.proxy.asked.append(request)
        order = self.proxy.order_for(request)
        (order.answer if order else pass_on)(self)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    def fetch(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """The status, the headers and the body that S3 itself answers."""
        connection = http.client.HTTPConnection(urlsplit(self.proxy.upstream).netloc)
        try:
            connection.request(
                self.command, self.path, self.body, dict(self.headers.items())
            )
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def send(
        self, status: int, headers: list[tuple[str, str]], body: bytes, promised: int
    ) -> None:
        """Answer with a body, and a Content-Length that may promise more."""
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in {
                "content-length",
                "connection",
                "transfer-encoding",
            }:
                self.send_header(name, value)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        pass


def pass_on(handler: Handler) -> None:
    status, headers, body = handler.fetch()
    handler.send(status, headers, body, len(body))


def error(status: int, code: str) -> Answer:
    def answer(handler: Handler) -> None:
        body = f"<Error><Code>{code}</Code><Message>canary</Message></Error>".encode()
        headers = [("Content-Type", "application/xml")]
        handler.send(status, headers, body, len(body))

    return answer


def hang(handler: Handler) -> None:
    time.sleep(HANG_SECONDS)
    handler.close_connection = True


def drop(handler: Handler) -> None:
    handler.close_connection = True


def cut(handler: Handler) -> None:
    """Half of the body, then nothing, and the connection is closed."""
    status, headers, body = handler.fetch()
    handler.send(status, headers, body[: len(body) // 2], len(body))
    handler.close_connection = True


def fall_silent(handler: Handler) -> None:
    """Half of the body, and the connection stays."""
    status, headers, body = handler.fetch()
    handler.send(status, headers, body[: len(body) // 2], len(body))
    hang(handler)


def shorten(handler: Handler) -> None:
    """A body that is whole by its own length, and shorter than was listed."""
    status, headers, body = handler.fetch()
    handler.send(status, headers, body[:-1], len(body) - 1)


def after(act: Callable[[], object]) -> Answer:
    """Do something to the bucket, and pass the request on."""

    def answer(handler: Handler) -> None:
        act()
        pass_on(handler)

    return answer


@contextmanager
def serve_proxy(upstream: str) -> Iterator[Proxy]:
    proxy = Proxy(upstream)
    handler = type("Own", (Handler,), {"proxy": proxy})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(
            target=server.serve_forever, args=(0.01,), daemon=True
        )
        thread.start()
        yield proxy
        server.shutdown()
