"""A local S3 server (moto) on loopback, for work without an account."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from reelhouse.local.child import LOOPBACK_ONLY, START_SECONDS, serve
from reelhouse.s3 import S3Settings

REGION = "us-east-1"
# The variable that tells the child which key id to accept.
KEY_ID = "REELHOUSE_LOCAL_KEY_ID"


@contextmanager
def serve_bucket(start_seconds: float = START_SECONDS) -> Iterator[S3Settings]:
    """Serve an empty S3 on a free loopback port until the block ends.

    The key id is new each time, and requests without it are refused. The server is a
    child process that also stops when this process dies in any way. Uploaded objects
    exist only in the server and are lost when it stops. Raises ReelhouseError if it
    does not answer within `start_seconds`.
    """
    key = secrets.token_hex(16)
    environ = _child_environment(os.environ) | {KEY_ID: key}
    with serve(
        "reelhouse.local._moto_server", "bucket", environ, start_seconds
    ) as port:
        yield S3Settings(
            endpoint_url=f"http://127.0.0.1:{port}",
            key=key,
            secret=key,
            region=REGION,
            is_local=True,
        )


def environment(settings: S3Settings) -> dict[str, str]:
    """Return the standard AWS variables that point any S3 client to this bucket.

    They override the machine's own settings: a profile, a session token, a proxy, the
    metadata service.
    """
    values = {
        "AWS_ACCESS_KEY_ID": settings.key,
        "AWS_SECRET_ACCESS_KEY": settings.secret,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_REGION": settings.region,
        "AWS_ENDPOINT_URL": settings.endpoint_url,
        "AWS_ENDPOINT_URL_S3": settings.endpoint_url,
        "AWS_SESSION_TOKEN": "",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return {name: value or "" for name, value in values.items()} | LOOPBACK_ONLY


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
