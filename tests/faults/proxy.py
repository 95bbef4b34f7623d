"""A proxy in front of the local S3 that fails on request."""

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

# Longer than the timeouts in the tests.
HANG_SECONDS = 0.6


@dataclass
class Order:
    """The answer to requests such as "GET /bucket/key", and how often it is given."""

    pattern: str
    answer: Answer
    times: int


@dataclass
class Proxy:
    """Forward requests unless an order matches them, and record all of them."""

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
        # An unread body would be parsed as the next request.
        self.body = self.rfile.read(length)
        request = f"{self.command} {self.path}"
        self.proxy.asked.append(request)
        order = self.proxy.order_for(request)
        (order.answer if order else pass_on)(self)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    def fetch(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return the status, the headers and the body that S3 itself answers."""
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
        """Send a body, with a Content-Length that may promise more bytes."""
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
    """Send half of the body, then close the connection."""
    status, headers, body = handler.fetch()
    handler.send(status, headers, body[: len(body) // 2], len(body))
    handler.close_connection = True


def fall_silent(handler: Handler) -> None:
    """Send half of the body, and keep the connection open for HANG_SECONDS."""
    status, headers, body = handler.fetch()
    handler.send(status, headers, body[: len(body) // 2], len(body))
    hang(handler)


def shorten(handler: Handler) -> None:
    """Send one byte less than listed, with a Content-Length that fits."""
    status, headers, body = handler.fetch()
    handler.send(status, headers, body[:-1], len(body) - 1)


def after(act: Callable[[], object]) -> Answer:
    """Call `act`, which changes the bucket, then pass the request on."""

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
