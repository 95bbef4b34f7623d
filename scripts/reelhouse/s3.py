"""List, download and upload objects in S3, with s3fs.

Every function opens its own client and closes it again, so nothing is cached between
calls and nothing stays open; `one_client` lets many calls share a client.
"""

from __future__ import annotations

import asyncio
import functools
import os
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import yaml

from reelhouse.errors import ReelhouseError, local_fault

MIB = 1024 * 1024
CHUNK_BYTES = 4 * MIB
# Fixed, because the ETag of an object depends on how it was split into parts.
PART_BYTES = 64 * MIB
PARALLEL_PARTS = 4
LONGEST_PAUSE_SECONDS = 20.0

PERMISSIONS = {
    "create": "s3:CreateBucket",
    "list": "s3:ListBucket",
    "read": "s3:GetObject",
    "write": "s3:PutObject",
}

# Requests to the local bucket never leave the machine: no proxy, no certificate, no AWS
# profile, and no time spent on hashes that protect data on a network.
LOCAL_CONFIG = {
    "proxies": {},
    "request_checksum_calculation": "when_required",
    "s3": {"payload_signing_enabled": False},
}
LOCAL_SESSION = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
    "ca_bundle": (None, None, None, None),
    "sts_regional_endpoints": (None, None, "regional", None),
}

Progress = Callable[[int], object]


@dataclass(frozen=True)
class Patience:
    """Timeouts for S3 in seconds, and the number of attempts (including the first).

    Each CHUNK_BYTES of a body may take `chunk_seconds`.
    """

    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    chunk_seconds: float = 300.0
    attempts: int = 4
    first_pause_seconds: float = 0.5


@dataclass(frozen=True)
class S3Settings:
    """Which S3 to use; values that are None come from the usual AWS variables.

    `is_local` marks the bucket that this project serves itself: buckets are created
    there as needed, and the machine's AWS files and proxies are ignored.
    """

    endpoint_url: str | None = None
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    region: str | None = None
    is_local: bool = False
    patience: Patience = Patience()


@dataclass(frozen=True)
class S3Object:
    """An object as it was listed.

    `key` is relative to the listed address, `etag` has no quotes, `size` is in bytes,
    `last_modified` is in UTC and has a time zone.
    """

    key: str
    etag: str
    size: int
    last_modified: datetime


class ObjectChanged(ReelhouseError):
    """The object was replaced or removed between listing and reading."""

    def __init__(self, address: str, is_removed: bool) -> None:
        self.is_removed = is_removed
        what = "removed" if is_removed else "replaced"
        super().__init__(
            f"{_shown(address)} was {what} while it was being read: "
            f"run the command again once the delivery is complete."
        )


class Sink(Protocol):
    """Receives the bytes of an object as they arrive, like a hash of hashlib."""

    def update(self, chunk: bytes, /) -> object: ...


AnySink = TypeVar("AnySink", bound=Sink)


class _BrokenBody(Exception):
    """A body that ended early or stopped arriving, so that a retry makes sense."""


def list_objects(settings: S3Settings, url: str) -> list[S3Object]:
    """Every object under the folder `url` (s3://bucket/folder), in byte order.

    Keys are plain text, never patterns; folder markers (keys that end in a
    slash) are left out. Raises ReelhouseError.
    """
    bucket, prefix = split_url(url)
    found: list[S3Object] = []
    token: str | None = ""
    with _connect(settings) as s3, _explained(s3, "list", url):
        while token is not None:
            page = s3.call_s3(
                "list_objects_v2",
                Bucket=bucket,
                Prefix=prefix,
                **({"ContinuationToken": token} if token else {}),
            )
            former, token = token, None
            if page.get("IsTruncated"):
                token = page.get("NextContinuationToken")
                if token in (None, former):
                    what = "a listing without a new continuation token"
                    raise _not_like_s3(s3, what)
            found += [
                _listed(s3, entry, prefix)
                for entry in page.get("Contents", [])
                if not entry.get("Key", "").endswith("/")
            ]
    return sorted(found, key=lambda listed: listed.key.encode())


def _listed(s3: Any, entry: dict[str, Any], prefix: str) -> S3Object:
    """Convert an entry of a listing; raises ReelhouseError if it lacks a field."""
    lacking = {"Key", "ETag", "Size", "LastModified"} - entry.keys()
    if lacking:
        what = f"a listing without {sorted(lacking)[0]}"
        raise _not_like_s3(s3, what)
    return S3Object(
        key=entry["Key"].removeprefix(prefix),
        etag=entry["ETag"].strip('"'),
        size=entry["Size"],
        last_modified=entry["LastModified"].astimezone(UTC),
    )


def _not_like_s3(s3: Any, what: str) -> ReelhouseError:
    return ReelhouseError(
        f"The server at {_endpoint(s3)} returned {what}, so nothing can be read from "
        f"it safely: use one that behaves like S3, and check AWS_ENDPOINT_URL."
    )


def download(
    settings: S3Settings,
    url: str,
    listed: S3Object,
    to: Path,
    new_sink: Callable[[], AnySink],
    progress: Progress = lambda _: None,
) -> AnySink:
    """Write the object that was listed under `url` to the file `to`, in one stream.

    Only the bytes that were listed are accepted (If-Match, and the length). `new_sink`
    creates a sink that receives each chunk, such as hashlib.sha256; each attempt has
    its own sink, and that of the successful attempt is returned. `progress` gets the
    number of bytes of each chunk, and a negative number if an attempt fails. `to` is
    removed after a failure.

    Raises ObjectChanged if the object was replaced or removed since, and ReelhouseError
    if it cannot be read after several attempts.
    """
    bucket, prefix = split_url(url)
    address = f"s3://{bucket}/{prefix}{listed.key}"
    patience = settings.patience
    try:
        with _connect(settings) as s3, _explained(s3, "read", address):
            for attempt in range(1, patience.attempts + 1):
                try:
                    return _receive(
                        s3, address, listed, to, new_sink, progress, patience
                    )
                except _BrokenBody as error:
                    reason = error
                if attempt < patience.attempts:
                    _pause(patience, attempt)
        raise ReelhouseError(
            f"{_shown(address)} could not be read after {patience.attempts} tries "
            f"({reason}): check the connection to S3 and run the command again."
        )
    except BaseException:
        to.unlink(missing_ok=True)
        raise


def upload(
    settings: S3Settings,
    files: list[tuple[Path, str]],
    url: str,
    progress: Progress = lambda _: None,
) -> None:
    """Upload local files, each with its relative key, to the folder `url`.

    The part size is fixed, so equal bytes have equal ETags. The bucket is created only
    if `settings.is_local`. `progress` gets the number of bytes of each part sent.
    Raises ReelhouseError.
    """
    from fsspec.callbacks import Callback

    class Told(Callback):  # type: ignore[misc]
        def relative_update(self, inc: int = 1) -> None:
            progress(inc)

    bucket, prefix = split_url(url)
    with _connect(settings) as s3:
        if settings.is_local:
            with _explained(s3, "create", url):
                s3.call_s3("create_bucket", Bucket=bucket)
        for path, key in files:
            if "?versionId=" in key:
                raise ReelhouseError(
                    f"{path} cannot be uploaded, since '?versionId=' in an S3 "
                    f"address means something else: rename the file."
                )
            address = f"{bucket}/{prefix}{key}"
            # Open the file first: an unreadable file is reported before S3 is asked.
            with _disk(path, "read"):
                file = path.open("rb")
            with file, _explained(s3, "write", f"s3://{address}"):
                if settings.is_local:
                    # moto handles one request three times as fast as several parts, in
                    # half the memory.
                    s3.call_s3("put_object", Bucket=bucket, Key=prefix + key, Body=file)
                    progress(path.stat().st_size)
                else:
                    s3.put_file(
                        str(path),
                        address,
                        callback=Told(),
                        chunksize=PART_BYTES,
                        max_concurrency=PARALLEL_PARTS,
                    )


def split_url(url: str) -> tuple[str, str]:
    """Split an address into its bucket and folder prefix ('' or ending in a slash).

    Nothing in it is a pattern or an escape. Raises ReelhouseError.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ReelhouseError(f"'{url}' is not an S3 address: write s3://bucket/folder.")
    if not re.fullmatch(r"[A-Za-z0-9._-]{3,63}", bucket):
        raise ReelhouseError(
            f"'{bucket}' in '{url}' is not a bucket name: it has 3 to 63 letters, "
            f"digits, dots and hyphens."
        )
    return bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""


# An s3fs file system, and the settings that it was made with.
_shared: ContextVar[tuple[S3Settings, Any] | None] = ContextVar("_shared", default=None)


@contextmanager
def one_client(settings: S3Settings) -> Iterator[None]:
    """Let all calls with these settings inside the block share one client."""
    with _connect(settings) as s3:
        token = _shared.set((settings, s3))
        try:
            yield
        finally:
            _shared.reset(token)


@contextmanager
def _connect(settings: S3Settings) -> Iterator[Any]:
    """Open an s3fs file system with a client, and close that at the end."""
    shared = _shared.get()
    if shared is not None and shared[0] == settings:
        yield shared[1]
        return
    import s3fs
    from botocore.exceptions import BotoCoreError
    from fsspec.asyn import sync
    from fsspec.config import conf

    patience = settings.patience
    has_no_tls = (settings.endpoint_url or "").startswith("http:")
    # Ignore ~/.config/fsspec, which holds settings for other programs.
    conf.clear()
    s3 = s3fs.S3FileSystem(
        endpoint_url=settings.endpoint_url,
        key=settings.key,
        secret=settings.secret,
        session=_local_session() if settings.is_local else None,
        client_kwargs={
            **({"region_name": settings.region} if settings.region else {}),
            # Without TLS nothing is verified, and certificate authorities load slowly.
            **({"verify": False} if has_no_tls else {}),
        },
        config_kwargs={
            "connect_timeout": patience.connect_seconds,
            "read_timeout": patience.read_seconds,
            "retries": {"mode": "standard", "total_max_attempts": patience.attempts},
            **(LOCAL_CONFIG if settings.is_local else {}),
        },
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    # botocore already retries; a second layer would multiply the attempts.
    s3.retries = 1
    try:
        s3.connect()
    except (BotoCoreError, ValueError) as error:
        raise ReelhouseError(
            f"The AWS settings cannot be used ({_first_line(error)}): check "
            f"AWS_ENDPOINT_URL, AWS_PROFILE and AWS_DEFAULT_REGION."
        ) from error
    try:
        yield s3
    finally:
        sync(s3.loop, s3.s3.close)


@functools.cache
def _local_session() -> Any:
    """One session for all clients: loading botocore's data about S3 takes 60 ms."""
    from aiobotocore.session import AioSession

    return AioSession(LOCAL_SESSION)


def _receive(
    s3: Any,
    address: str,
    listed: S3Object,
    to: Path,
    new_sink: Callable[[], AnySink],
    progress: Progress,
    patience: Patience,
) -> AnySink:
    """Download an object with one GET request."""
    from aiohttp import ClientError as HttpError
    from botocore.exceptions import BotoCoreError

    bucket, _, key = address.removeprefix("s3://").partition("/")
    try:
        answer = s3.call_s3(
            "get_object", Bucket=bucket, Key=key, IfMatch=f'"{listed.etag}"'
        )
    except OSError as error:
        code, status = _code(error)
        if code == "NoSuchKey" or status == 412:
            raise ObjectChanged(address, is_removed=status != 412) from error
        raise
    body = answer["Body"]
    sink = new_sink()
    received = 0

    def ask() -> Future[bytes]:
        return asyncio.run_coroutine_threadsafe(_next_chunk(body), s3.loop)

    pending = ask()
    try:
        # No buffer: a full disk must cause an error here, not when the file is closed.
        with _disk(to, "written"):
            file = to.open("wb", buffering=0)
        with file:
            while chunk := pending.result(patience.chunk_seconds):
                received += len(chunk)
                pending = ask()
                rest = memoryview(chunk)
                with _disk(to, "written"):
                    while rest:
                        rest = rest[file.write(rest) :]
                sink.update(chunk)
                progress(len(chunk))
        if received != listed.size:
            raise _BrokenBody(f"received {received} of {listed.size} bytes")
        # Some servers ignore If-Match.
        if "ETag" not in answer:
            raise _not_like_s3(s3, "an object without an ETag")
        if answer["ETag"].removeprefix("W/").strip('"') != listed.etag:
            raise ObjectChanged(address, is_removed=False)
    except (HttpError, BotoCoreError, TimeoutError, _BrokenBody) as error:
        progress(-received)
        raise _BrokenBody(_first_line(error)) from error
    except BaseException:
        progress(-received)
        raise
    finally:
        pending.cancel()
        s3.loop.call_soon_threadsafe(body.close)
    return sink


async def _next_chunk(body: Any) -> bytes:
    chunk = bytearray()
    while len(chunk) < CHUNK_BYTES:
        piece = await body.read(CHUNK_BYTES - len(chunk))
        if not piece:
            break
        chunk += piece
    return bytes(chunk)


@contextmanager
def _disk(path: Path, done: str) -> Iterator[None]:
    """Turn errors of the local disk into ReelhouseError, apart from those of S3."""
    try:
        yield
    except OSError as error:
        raise ReelhouseError(
            f"{path} cannot be {done} ({error.strerror}): check its permissions, "
            f"those of its folder, and the room on its disk."
        ) from error


def _pause(patience: Patience, attempt: int) -> None:
    longest = patience.first_pause_seconds * 2 ** (attempt - 1)
    time.sleep(min(longest, LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1))


@contextmanager
def _explained(s3: Any, verb: str, address: str) -> Iterator[None]:
    """Turn errors of s3fs into a ReelhouseError that helps the user."""
    from aiohttp import ClientError
    from botocore.exceptions import BotoCoreError
    from botocore.parsers import ResponseParserError

    try:
        yield
    # From botocore, which parses sizes and times.
    except (ResponseParserError, ValueError) as error:
        what = f"an answer that is not from S3 ({_first_line(error)})"
        raise _not_like_s3(s3, what) from error
    except (OSError, BotoCoreError, ClientError) as error:
        if isinstance(error, OSError) and not error.__cause__:
            told = local_fault(str(error), Path(tempfile.gettempdir()))
            if told:
                raise told from error
        code, status = _code(error)
        known = {each.__name__ for each in type(error).__mro__}
        known |= {str(code), str(status), f"{(status or 0) // 100}xx"}
        if "kms" in f"{code} {error}".lower():
            known.add("KMS")
        told = next(e["told"] for e in _faults() if not known.isdisjoint(e["known_by"]))
        bucket, _ = split_url(address)
        raise ReelhouseError(
            told.format(
                verb=verb,
                address=_shown(address),
                bucket=bucket,
                endpoint=_endpoint(s3),
                code=code or _first_line(error),
                status=status,
                permission=PERMISSIONS[verb],
            )
        ) from error


def _faults() -> list[dict[str, Any]]:
    text = files("reelhouse").joinpath("s3_faults.yml").read_text(encoding="utf-8")
    return list(yaml.safe_load(text))


def _endpoint(s3: Any) -> str:
    """The host of the endpoint, without a password that its address may contain."""
    return str(urlsplit(s3.s3.meta.endpoint_url).netloc.rpartition("@")[2])


def _code(error: Exception) -> tuple[str | None, int | None]:
    """The S3 error code and the HTTP status that s3fs keeps in the cause."""
    answer = getattr(error.__cause__, "response", None) or {}
    return (
        answer.get("Error", {}).get("Code"),
        answer.get("ResponseMetadata", {}).get("HTTPStatusCode"),
    )


def _first_line(error: Exception) -> str:
    """The first line of an error's message, without a password in an address."""
    line = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
    return re.sub(r"//[^/@\s]*@", "//", line)


def _shown(address: str) -> str:
    """An address on one line, whatever characters its key has."""
    return address if address.isprintable() else repr(address)
