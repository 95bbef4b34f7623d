"""Objects in S3: list, download and upload, by s3fs.

Every function opens its own client and closes it again, so nothing is cached
between calls and nothing is left open; `one_client` spares that to many calls.
"""

from __future__ import annotations

import asyncio
import functools
import os
import random
import re
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar
from urllib.parse import urlsplit

from reelhouse.errors import ReelhouseError

MIB = 1024 * 1024
CHUNK_BYTES = 4 * MIB
# Fixed, because the ETag of an object depends on how it was cut into parts.
PART_BYTES = 64 * MIB
PARALLEL_PARTS = 4
LONGEST_PAUSE_SECONDS = 20.0

REFUSED_CREDENTIALS = {
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}
OTHER_REGION = {
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
}
THROTTLED = {"RequestTimeout", "ServiceUnavailable", "SlowDown"}
PERMISSIONS = {
    "create": "s3:CreateBucket",
    "list": "s3:ListBucket",
    "read": "s3:GetObject",
    "write": "s3:PutObject",
}

# The way to the local bucket never leaves the machine: no proxy, no certificate,
# no AWS profile, and no time spent on hashes that guard a network.
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
}

Progress = Callable[[int], object]


@dataclass(frozen=True)
class Patience:
    """How long to wait for S3, and how often to try (all tries counted)."""

    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    attempts: int = 4
    first_pause_seconds: float = 0.5


@dataclass(frozen=True)
class S3Settings:
    """Which S3 to talk to; None leaves a value to the ordinary AWS variables.

    `is_local` marks the bucket that this project serves itself: buckets are made
    there as needed, and the machine's AWS files and proxies are left alone.
    """

    endpoint_url: str | None = None
    key: str | None = None
    secret: str | None = field(default=None, repr=False)
    region: str | None = None
    is_local: bool = False
    patience: Patience = Patience()


@dataclass(frozen=True)
class S3Object:
    """An object as it was listed.

    `key` is relative to the listed address, `etag` stands without quotes, `size`
    is in bytes, `last_modified` is aware and in UTC.
    """

    key: str
    etag: str
    size: int
    last_modified: datetime


class ObjectChanged(ReelhouseError):
    """The object was replaced or removed between listing and reading."""

    def __init__(self, address: str, is_removed: bool) -> None:
        self.is_removed = is_removed
        what = "removed from the bucket" if is_removed else "replaced"
        super().__init__(
            f"{_shown(address)} was {what} while it was being read: "
            f"run the command again once the delivery is complete."
        )


class Sink(Protocol):
    """Takes the bytes of an object as they come; a hash of hashlib is one."""

    def update(self, chunk: bytes, /) -> object: ...


AnySink = TypeVar("AnySink", bound=Sink)


class _BrokenBody(Exception):
    """A body that ended early or went silent: worth another try."""


def list_objects(settings: S3Settings, url: str) -> list[S3Object]:
    """Every object under the folder `url` (s3://bucket/folder), in byte order.

    Keys are plain text, never patterns; folder markers (keys that end in a
    slash) are left out. Raises ReelhouseError.
    """
    bucket, prefix = split_url(url)
    found: list[S3Object] = []
    page: dict[str, Any] = {"IsTruncated": True}
    with _connect(settings) as s3, _explained(s3, "list", url):
        while page["IsTruncated"]:
            token = page.get("NextContinuationToken")
            page = s3.call(
                "list_objects_v2",
                Bucket=bucket,
                Prefix=prefix,
                **({"ContinuationToken": token} if token else {}),
            )
            found += [
                S3Object(
                    key=entry["Key"].removeprefix(prefix),
                    etag=entry["ETag"].strip('"'),
                    size=entry["Size"],
                    last_modified=entry["LastModified"].astimezone(UTC),
                )
                for entry in page.get("Contents", [])
                if not entry["Key"].endswith("/")
            ]
    return sorted(found, key=lambda listed: listed.key.encode())


def download(
    settings: S3Settings,
    url: str,
    listed: S3Object,
    to: Path,
    new_sink: Callable[[], AnySink],
    progress: Progress = lambda _: None,
) -> AnySink:
    """Write the object that was listed under `url` to the file `to`, in one stream.

    Only the very bytes that were listed are accepted (If-Match, and the length).
    `new_sink` makes what receives each chunk on the way, such as hashlib.sha256;
    each try has a sink of its own, and that of the complete one is returned.
    `progress` gets the bytes of each chunk, and a negative number when a try is
    given up. Nothing stays in `to` after a failure.

    Raises ObjectChanged when the object was replaced or removed since, and
    ReelhouseError when it cannot be read after several tries.
    """
    bucket, prefix = split_url(url)
    address = f"s3://{bucket}/{prefix}{listed.key}"
    patience = settings.patience
    try:
        with _connect(settings) as s3, _explained(s3, "read", address):
            for attempt in range(1, patience.attempts + 1):
                try:
                    return _receive(s3, address, listed, to, new_sink, progress)
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
    """Upload local files to the folder `url`; each comes with its relative key.

    The part size is fixed, so equal bytes have equal ETags. A bucket is made
    only where `settings.is_local`. `progress` gets the bytes of each part sent.
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
                s3.call("create_bucket", Bucket=bucket)
        for path, key in files:
            if "?versionId=" in key:
                raise ReelhouseError(
                    f"{path} cannot be uploaded, since '?versionId=' in an S3 "
                    f"address means something else: rename the file."
                )
            address = f"{bucket}/{prefix}{key}"
            with _explained(s3, "write", f"s3://{address}"), _read(path) as file:
                if settings.is_local:
                    # moto takes one request three times as fast as its parts,
                    # in half the memory.
                    s3.call("put_object", Bucket=bucket, Key=prefix + key, Body=file)
                    progress(path.stat().st_size)
                else:
                    s3.wait(
                        s3.files._put_file(
                            str(path),
                            address,
                            callback=Told(),
                            chunksize=PART_BYTES,
                            max_concurrency=PARALLEL_PARTS,
                        )
                    )


def split_url(url: str) -> tuple[str, str]:
    """The bucket and the folder prefix ('' or ending in a slash) of an address.

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


class _Connection:
    """An s3fs file system, its loop, and what to call it in a message."""

    def __init__(self, files: Any, settings: S3Settings) -> None:
        self.files = files
        self.settings = settings

    @property
    def endpoint(self) -> str:
        """Host and port, without any password that the address may hold."""
        parts = urlsplit(self.files.s3.meta.endpoint_url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.hostname}{port}"

    def start(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.files.loop)

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        future = self.start(work)
        try:
            return future.result()
        except BaseException:
            # Ctrl-C among them: what runs in the other thread must not go on.
            future.cancel()
            raise

    def call(self, method: str, **arguments: Any) -> Any:
        return self.wait(self.files._call_s3(method, **arguments))


_shared: ContextVar[_Connection | None] = ContextVar("_shared", default=None)


@contextmanager
def one_client(settings: S3Settings) -> Iterator[None]:
    """Let all calls with these settings inside the block share one client."""
    with _connect(settings) as connection:
        token = _shared.set(connection)
        try:
            yield
        finally:
            _shared.reset(token)


@contextmanager
def _connect(settings: S3Settings) -> Iterator[_Connection]:
    shared = _shared.get()
    if shared is not None and shared.settings == settings:
        yield shared
        return
    import s3fs
    from botocore.exceptions import BotoCoreError

    patience = settings.patience
    has_no_tls = (settings.endpoint_url or "").startswith("http:")
    files = s3fs.S3FileSystem(
        endpoint_url=settings.endpoint_url,
        key=settings.key,
        secret=settings.secret,
        session=_session(settings),
        client_kwargs={
            **({"region_name": settings.region} if settings.region else {}),
            # Without TLS nothing is verified, and authorities take long to read.
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
    # botocore does the retrying; two layers would multiply.
    files.retries = 1
    connection = _Connection(files, settings)
    try:
        connection.wait(files.set_session())
    except (BotoCoreError, ValueError) as error:
        raise ReelhouseError(
            f"The AWS settings cannot be used ({_first_line(error)}): check "
            f"AWS_ENDPOINT_URL, AWS_PROFILE and AWS_DEFAULT_REGION."
        ) from error
    try:
        yield connection
    finally:
        connection.wait(files.s3.close())


def _session(settings: S3Settings) -> Any:
    from aiobotocore.session import AioSession

    session = AioSession(LOCAL_SESSION if settings.is_local else None)
    session.register_component("data_loader", _data_loader())
    return session


@functools.cache
def _data_loader() -> Any:
    """botocore's API descriptions, read once (60 ms) and not for each client."""
    from botocore.loaders import create_loader

    return create_loader()


def _receive(
    s3: _Connection,
    address: str,
    listed: S3Object,
    to: Path,
    new_sink: Callable[[], AnySink],
    progress: Progress,
) -> AnySink:
    """One GET from its first to its last byte."""
    from aiohttp import ClientError as HttpError
    from botocore.exceptions import BotoCoreError

    bucket, _, key = address.removeprefix("s3://").partition("/")
    try:
        answer = s3.call(
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
    pending = s3.start(_next_chunk(body))
    try:
        with _written(to) as write:
            while chunk := pending.result():
                received += len(chunk)
                pending = s3.start(_next_chunk(body))
                write(chunk)
                sink.update(chunk)
                progress(len(chunk))
        if received != listed.size:
            raise _BrokenBody(f"{received} of {listed.size} bytes came")
    except (HttpError, BotoCoreError, TimeoutError, _BrokenBody) as error:
        progress(-received)
        raise _BrokenBody(_first_line(error)) from error
    except BaseException:
        progress(-received)
        raise
    finally:
        pending.cancel()
        s3.files.loop.call_soon_threadsafe(body.close)
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
def _written(to: Path) -> Iterator[Callable[[bytes], object]]:
    """A file to write to, whose own errors are told apart from those of S3."""

    def write(chunk: bytes) -> None:
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError as error:
            raise _unwritten(to, error) from error

    try:
        # No buffer: a full disk must show here, not when the file is closed.
        file = to.open("wb", buffering=0)
    except OSError as error:
        raise _unwritten(to, error) from error
    with file:
        yield write


def _unwritten(to: Path, error: OSError) -> ReelhouseError:
    return ReelhouseError(
        f"{to} cannot be written ({error.strerror}): check its folder's permissions "
        f"and the room on its disk."
    )


@contextmanager
def _read(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise ReelhouseError(
            f"{path} cannot be read ({error.strerror}): check that it is there "
            f"and yours to read."
        ) from error
    with file:
        yield file


def _pause(patience: Patience, attempt: int) -> None:
    longest = patience.first_pause_seconds * 2 ** (attempt - 1)
    time.sleep(min(longest, LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1))


@contextmanager
def _explained(s3: _Connection, verb: str, address: str) -> Iterator[None]:
    """Turn what s3fs raises into a sentence for the person who reads it."""
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except (OSError, BotoCoreError) as error:
        raise _explanation(s3, verb, address, error) from error


def _explanation(
    s3: _Connection, verb: str, address: str, error: Exception
) -> ReelhouseError:
    from botocore import exceptions as boto

    address = _shown(address)
    code, status = _code(error)
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError):
        return ReelhouseError(
            f"No S3 credentials were found to {verb} {address}: set "
            f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
        )
    if isinstance(error, boto.CredentialRetrievalError | boto.TokenRetrievalError):
        return ReelhouseError(
            f"The S3 credentials could not be fetched to {verb} {address}: log in "
            f"again (for example with 'aws sso login')."
        )
    if isinstance(error, boto.ConnectTimeoutError | boto.ReadTimeoutError):
        return ReelhouseError(
            f"S3 at {s3.endpoint} was asked to {verb} {address} and did not answer "
            f"in time: check the network and try again."
        )
    if isinstance(error, boto.SSLError):
        return ReelhouseError(
            f"S3 at {s3.endpoint} showed a certificate that cannot be trusted: set "
            f"AWS_CA_BUNDLE to the file of your certificate authority."
        )
    if isinstance(error, boto.ConnectionError | boto.ConnectionClosedError):
        return ReelhouseError(
            f"S3 at {s3.endpoint} cannot be reached to {verb} {address}: check the "
            f"network and AWS_ENDPOINT_URL."
        )
    if code == "NoSuchBucket":
        return ReelhouseError(
            f"There is no bucket '{address.split('/')[2]}' at {s3.endpoint}: check "
            f"the name in {address} and AWS_ENDPOINT_URL."
        )
    if code in REFUSED_CREDENTIALS:
        return ReelhouseError(
            f"S3 at {s3.endpoint} refused the credentials ({code}): check "
            f"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or "
            f"AWS_PROFILE."
        )
    if status in (401, 403):
        return ReelhouseError(
            f"These credentials may not {verb} {address} ({code}): ask for the "
            f"permission {PERMISSIONS[verb]} on it."
        )
    if code in OTHER_REGION or status == 301:
        return ReelhouseError(
            f"The bucket of {address} is in another region ({code}): set "
            f"AWS_DEFAULT_REGION to it."
        )
    if code in THROTTLED or (status or 0) >= 500:
        return ReelhouseError(
            f"S3 at {s3.endpoint} kept answering {status} ({code}) when asked to "
            f"{verb} {address}: try again later."
        )
    return ReelhouseError(
        f"S3 at {s3.endpoint} would not {verb} {address} "
        f"({code or _first_line(error)}): check the address and the bucket."
    )


def _code(error: Exception) -> tuple[str | None, int | None]:
    """The S3 error code and the HTTP status that s3fs keeps in the cause."""
    answer = getattr(error.__cause__, "response", None) or {}
    return (
        answer.get("Error", {}).get("Code"),
        answer.get("ResponseMetadata", {}).get("HTTPStatusCode"),
    )


def _first_line(error: Exception) -> str:
    """What an error says, without a password that an address in it may hold."""
    line = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
    return re.sub(r"//[^/@\s]*@", "//", line)


def _shown(address: str) -> str:
    """An address on one line, whatever characters its key has."""
    return address if address.isprintable() else repr(address)
