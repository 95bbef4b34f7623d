"""A local S3 server (moto) on loopback, for work without an account."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from reelhouse.errors import ReelhouseError
from reelhouse.s3 import S3Settings

START_SECONDS = 60.0
STOP_SECONDS = 5.0
REGION = "us-east-1"


@contextmanager
def serve_bucket(start_seconds: float = START_SECONDS) -> Iterator[S3Settings]:
    """Serve an empty S3 on a free loopback port until the block ends.

    The server is a child process that also stops when this process dies in any
    way. What is uploaded lives in it alone and is gone with it. Raises
    ReelhouseError when it does not answer within `start_seconds`.
    """
    with tempfile.TemporaryFile() as log, _child(log) as child:
        port = _read_port(child, log, start_seconds)
        yield S3Settings(
            endpoint_url=f"http://127.0.0.1:{port}",
            key="local",
            secret="local",
            region=REGION,
            is_local=True,
        )


def environment(settings: S3Settings) -> dict[str, str]:
    """The ordinary AWS variables that lead any S3 client to this bucket.

    They outrank what the machine has of its own: a profile, a session token, a
    proxy, the metadata service.
    """
    values = {
        "AWS_ACCESS_KEY_ID": settings.key,
        "AWS_SECRET_ACCESS_KEY": settings.secret,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_REGION": settings.region,
        "AWS_ENDPOINT_URL": settings.endpoint_url,
        "AWS_ENDPOINT_URL_S3": settings.endpoint_url,
    }
    outranked = {
        "AWS_SESSION_TOKEN": "",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    return {name: value for name, value in values.items() if value} | outranked


@contextmanager
def _child(log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        # -P: a module of the current folder must not stand in for a library.
        [sys.executable, "-P", "-m", "reelhouse._moto_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=_child_environment(os.environ),
        # Its own session: Ctrl-C in the terminal reaches the parent alone.
        start_new_session=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate(timeout=STOP_SECONDS)


def _child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("AWS_", "MOTO_", "S3_", "WERKZEUG_"))
    }
    return kept | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true",
        # Bytes of an object that moto keeps in memory; the rest is on disk.
        "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(1024 * 1024),
    }


def _read_port(
    child: subprocess.Popen[bytes], log: IO[bytes], start_seconds: float
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
                    f"The local bucket did not answer within {start_seconds:g} "
                    f"seconds: try again when the machine is less busy."
                )
            piece = os.read(child.stdout.fileno(), 64)
            if not piece:
                raise ReelhouseError(
                    f"The local bucket did not start ({_last_line(log)}): "
                    f"run 'make run' to install what it needs."
                )
            line += piece
    return int(line)


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "no output")
