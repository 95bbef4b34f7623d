"""The S3 client, against moto and against a server that fails on request."""

from __future__ import annotations

import errno
import gc
import hashlib
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reelhouse import s3
from reelhouse.errors import ReelhouseError
from reelhouse.s3 import (
    ObjectChanged,
    Patience,
    S3Object,
    S3Settings,
    download,
    list_objects,
    split_url,
    upload,
)

ODD_KEYS = [
    "plain.csv",
    "two words.csv",
    'it\'s "quoted".csv',
    "[a-z]*?.csv",
    "ratings/**/[0].csv",
    "100%.csv",
    "%2F%41.csv",
    "a+b=c&d#e;f.csv",
    "naïve/Ünïcode/映画.csv",
    "line\nbreak\tand tab.csv",
    "back\\slash.csv",
    "{{ jinja }}<b>&amp;.csv",
    "'; drop table ratings; --.csv",
    "..csv",
    "a..b/...csv",
    " leading and trailing ",
    "../up.csv",
    "a/../b.csv",
    "./here.csv",
    "a/./b.csv",
]
ONCE = Patience(
    connect_seconds=0.5, read_seconds=0.3, attempts=1, first_pause_seconds=0.01
)
BODY = b"userId,movieId\r\n" * 100
LISTED = S3Object("ratings.csv", "etag", len(BODY), datetime(2026, 1, 1, tzinfo=UTC))


def _put(settings: S3Settings, url: str, key: str, body: bytes, folder: Path) -> None:
    path = folder / hashlib.sha256(key.encode()).hexdigest()
    path.write_bytes(body)
    upload(settings, [(path, key)], url)


def _keys(settings: S3Settings, url: str) -> list[str]:
    return [listed.key for listed in list_objects(settings, url)]


# --- against moto


@pytest.mark.long
@pytest.mark.fault("18")
def test_any_key_goes_there_and_back(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    url = f"s3://{bucket}/in"
    files = [(tmp_path / str(number), key) for number, key in enumerate(ODD_KEYS)]
    for path, key in files:
        path.write_bytes(key.encode())
    upload(s3_server, files, url)
    listed = list_objects(s3_server, url)
    assert [entry.key for entry in listed] == sorted(ODD_KEYS, key=str.encode)
    for entry in listed:
        download(s3_server, url, entry, tmp_path / "out", hashlib.sha256)
        assert (tmp_path / "out").read_bytes() == entry.key.encode()


def test_an_entry_tells_etag_size_and_time(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    _put(s3_server, f"s3://{bucket}", "ratings.csv", BODY, tmp_path)
    [listed] = list_objects(s3_server, f"s3://{bucket}")
    assert listed.etag == hashlib.md5(BODY).hexdigest()
    assert listed.size == len(BODY)
    assert listed.last_modified.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - listed.last_modified) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("", ["a/1.csv", "a/b/2.csv", "a/b/c/4.csv", "ab/3.csv"]),
        ("/", ["a/1.csv", "a/b/2.csv", "a/b/c/4.csv", "ab/3.csv"]),
        ("/a", ["1.csv", "b/2.csv", "b/c/4.csv"]),
        ("/a/", ["1.csv", "b/2.csv", "b/c/4.csv"]),
        ("/a/b", ["2.csv", "c/4.csv"]),
        ("/a*", []),
        ("/none", []),
    ],
)
def test_a_folder_holds_what_is_under_it_and_no_more(
    folder: str,
    expected: list[str],
    s3_server: S3Settings,
    bucket: str,
    tmp_path: Path,
) -> None:
    for key in ("a/1.csv", "a/b/2.csv", "a/b/c/4.csv", "ab/3.csv"):
        _put(s3_server, f"s3://{bucket}", key, b"x", tmp_path)
    assert _keys(s3_server, f"s3://{bucket}{folder}") == expected


def test_folder_markers_are_no_objects(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    for key in ("a/", "a/b/", "a/1.csv"):
        _put(s3_server, f"s3://{bucket}", key, b"", tmp_path)
    assert _keys(s3_server, f"s3://{bucket}/a") == ["1.csv"]


def test_a_listing_is_always_fresh_and_in_byte_order(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    url = f"s3://{bucket}/in"
    assert _keys(s3_server, url) == []
    for key in ("é.csv", "a.csv", "B.csv"):
        _put(s3_server, url, key, b"x", tmp_path)
    assert _keys(s3_server, url) == ["B.csv", "a.csv", "é.csv"]
    first = list_objects(s3_server, url)[0]
    _put(s3_server, url, "B.csv", b"changed", tmp_path)
    again = list_objects(s3_server, url)[0]
    assert (first.size, again.size) == (1, 7)
    assert first.etag != again.etag


@pytest.mark.nightly
def test_more_than_one_page_is_listed(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"x")
    keys = [f"part {number:04}+.csv" for number in range(1005)]
    upload(s3_server, [(path, key) for key in keys], f"s3://{bucket}/in")
    assert _keys(s3_server, f"s3://{bucket}/in") == keys


def test_a_large_object_comes_in_chunks(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    body = bytes(range(256)) * (40 * 1024)
    sent: list[int] = []
    path = tmp_path / "ratings.csv"
    path.write_bytes(body)
    upload(s3_server, [(path, "ratings.csv")], f"s3://{bucket}", sent.append)
    [listed] = list_objects(s3_server, f"s3://{bucket}")
    came: list[int] = []
    sink = download(
        s3_server,
        f"s3://{bucket}",
        listed,
        tmp_path / "out",
        hashlib.sha256,
        came.append,
    )
    assert sink.hexdigest() == hashlib.sha256(body).hexdigest()
    assert (tmp_path / "out").read_bytes() == body
    assert sum(sent) == sum(came) == len(body)
    assert len(came) > 1
    assert all(size >= s3.MIB for size in came[:-1])


@pytest.mark.long
def test_equal_bytes_have_equal_etags(
    s3_server: S3Settings,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also for multipart uploads, which a bucket that is not local gets."""
    monkeypatch.setattr(s3, "PART_BYTES", 5 * s3.MIB)
    theirs = replace(s3_server, is_local=False)
    body = b"0123456789abcdef" * (13 * s3.MIB // 16)
    sent: list[int] = []
    for key in ("a.csv", "b.csv"):
        (tmp_path / key).write_bytes(body)
        upload(theirs, [(tmp_path / key, key)], f"s3://{bucket}", sent.append)
    first, second = list_objects(s3_server, f"s3://{bucket}")
    assert first.etag == second.etag
    assert first.etag.endswith("-3")
    assert sum(sent) == 2 * len(body)
    sink = download(theirs, f"s3://{bucket}", first, tmp_path / "out", hashlib.sha256)
    assert sink.hexdigest() == hashlib.sha256(body).hexdigest()


def test_an_empty_object_makes_an_empty_file(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    _put(s3_server, f"s3://{bucket}", "empty.csv", b"", tmp_path)
    [listed] = list_objects(s3_server, f"s3://{bucket}")
    download(s3_server, f"s3://{bucket}", listed, tmp_path / "out", hashlib.sha256)
    assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.fault("5")
def test_a_replaced_object_is_never_read(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    url = f"s3://{bucket}/in"
    _put(s3_server, url, "ratings.csv", b"before", tmp_path)
    [listed] = list_objects(s3_server, url)
    _put(s3_server, url, "ratings.csv", b"after!", tmp_path)
    with pytest.raises(ObjectChanged, match=r"in/ratings\.csv was replaced") as raised:
        download(s3_server, url, listed, tmp_path / "out", hashlib.sha256)
    assert not raised.value.is_removed
    assert not (tmp_path / "out").exists()


@pytest.mark.fault("5")
def test_a_removed_object_is_told(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    gone = replace(LISTED, key="two\nlines.csv")
    with pytest.raises(ObjectChanged, match=r"two\\nlines\.csv' was removed") as raised:
        download(s3_server, f"s3://{bucket}", gone, tmp_path / "out", hashlib.sha256)
    assert raised.value.is_removed


@pytest.mark.fault("6")
def test_a_missing_bucket_is_named(s3_server: S3Settings, tmp_path: Path) -> None:
    message = "There is no bucket 'not-there' at 127.0.0.1:[0-9]+: check the name"
    with pytest.raises(ReelhouseError, match=message):
        list_objects(s3_server, "s3://not-there/in")
    with pytest.raises(ReelhouseError, match=message):
        download(s3_server, "s3://not-there", LISTED, tmp_path / "out", hashlib.sha256)
    (tmp_path / "ratings.csv").write_bytes(BODY)
    theirs = replace(s3_server, is_local=False)
    with pytest.raises(ReelhouseError, match=message):
        upload(theirs, [(tmp_path / "ratings.csv", "ratings.csv")], "s3://not-there")


def test_a_file_that_cannot_be_read_is_named(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    with pytest.raises(
        ReelhouseError, match=r"gone\.csv cannot be read \(No such file"
    ):
        upload(s3_server, [(tmp_path / "gone.csv", "gone.csv")], f"s3://{bucket}")


def test_a_place_that_cannot_be_written_is_named(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    _put(s3_server, f"s3://{bucket}", "ratings.csv", BODY, tmp_path)
    [listed] = list_objects(s3_server, f"s3://{bucket}")
    with pytest.raises(ReelhouseError, match="no/out cannot be written"):
        download(
            s3_server, f"s3://{bucket}", listed, tmp_path / "no/out", hashlib.sha256
        )


@pytest.mark.fault("2")
def test_a_full_disk_is_told(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    _put(s3_server, f"s3://{bucket}", "ratings.csv", BODY, tmp_path)
    [listed] = list_objects(s3_server, f"s3://{bucket}")
    to = tmp_path / "out"
    to.symlink_to("/dev/full")
    with pytest.raises(
        ReelhouseError, match=r"\(No space left.*and the room on its disk"
    ):
        download(s3_server, f"s3://{bucket}", listed, to, hashlib.sha256)
    assert not to.is_symlink()


def test_an_error_of_the_sink_is_not_hidden(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    class Sink:
        def update(self, chunk: bytes, /) -> None:
            raise KeyboardInterrupt(len(chunk))

    _put(s3_server, f"s3://{bucket}", "ratings.csv", BODY, tmp_path)
    [listed] = list_objects(s3_server, f"s3://{bucket}")
    with pytest.raises(KeyboardInterrupt):
        download(s3_server, f"s3://{bucket}", listed, tmp_path / "out", Sink)
    assert not (tmp_path / "out").exists()


def test_nothing_stays_open(s3_server: S3Settings, bucket: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _put(s3_server, f"s3://{bucket}", "ratings.csv", BODY, tmp_path)
        [listed] = list_objects(s3_server, f"s3://{bucket}")
        download(s3_server, f"s3://{bucket}", listed, tmp_path / "out", hashlib.sha256)
        gc.collect()


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("s3://movies", ("movies", "")),
        ("s3://movies/", ("movies", "")),
        ("s3://movies/a b/c?d#e%20*", ("movies", "a b/c?d#e%20*/")),
        ("s3://movies/a//", ("movies", "a/")),
    ],
)
def test_an_address_is_plain_text(url: str, parts: tuple[str, str]) -> None:
    assert split_url(url) == parts


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "'' is not an S3 address: write s3://bucket/folder"),
        ("data/sample", "'data/sample' is not an S3 address"),
        ("https://movies/in", "'https://movies/in' is not an S3 address"),
        ("s3://", "'s3://' is not an S3 address"),
        ("s3:///in", "'s3:///in' is not an S3 address"),
        ("s3://ab/in", "'ab' in 's3://ab/in' is not a bucket name: it has 3 to 63"),
        ("s3://a b c/in", "'a b c' in 's3://a b c/in' is not a bucket name"),
    ],
)
def test_a_bad_address_is_refused(url: str, message: str) -> None:
    with pytest.raises(ReelhouseError, match=message.replace("(", r"\(")):
        list_objects(S3Settings(), url)


# --- against a server that fails on request


Answer = Callable[[BaseHTTPRequestHandler], None]


def _error(status: int, code: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = f"<Error><Code>{code}</Code><Message>canary</Message></Error>".encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Content-Type", "application/xml")
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def _body(body: bytes, promised: int | None = None) -> Answer:
    """Return an answer whose Content-Length may promise more than its body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header(
            "Content-Length", str(len(body) if promised is None else promised)
        )
        handler.send_header("ETag", '"etag"')
        handler.end_headers()
        handler.wfile.write(body)
        handler.wfile.flush()
        handler.close_connection = True

    return answer


def _hang(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(0.6)
    handler.close_connection = True


def _hang_in_body(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    handler.wfile.write(BODY[:100])
    handler.wfile.flush()
    _hang(handler)


def _drop(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


@dataclass
class Server:
    """Gives the answers in order, the last one forever, and records all requests."""

    settings: S3Settings
    answers: list[Answer] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    conditions: list[str | None] = field(default_factory=list)

    def will(self, *answers: Answer, attempts: int = 1) -> S3Settings:
        self.answers = list(answers)
        return replace(self.settings, patience=replace(ONCE, attempts=attempts))


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            # An unread body would be parsed as the next request.
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            scripted.asked.append(f"{self.command} {self.path}")
            scripted.conditions.append(self.headers.get("If-Match"))
            answers = scripted.answers
            (answers.pop(0) if len(answers) > 1 else answers[0])(self)

        do_GET = do_PUT = do_POST = do_HEAD = _answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        scripted = Server(
            S3Settings(
                endpoint_url=f"http://127.0.0.1:{http.server_address[1]}",
                key="key",
                secret="canary",
                region="us-east-1",
            )
        )
        yield scripted
        http.shutdown()


def _fetch(settings: S3Settings, folder: Path) -> bytes:
    download(settings, "s3://movies/in", LISTED, folder / "out", hashlib.sha256)
    return (folder / "out").read_bytes()


@pytest.mark.long
@pytest.mark.fault("3", "4")
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(_error(500, "InternalError"), id="500"),
        pytest.param(_error(503, "ServiceUnavailable"), id="503"),
        pytest.param(_error(503, "SlowDown"), id="slow down"),
        pytest.param(_hang, id="no answer"),
        pytest.param(_hang_in_body, id="silence in the body"),
        pytest.param(_body(BODY[:-1], len(BODY)), id="connection cut"),
        pytest.param(_body(BODY[:-1]), id="short body"),
        pytest.param(_body(b""), id="no body"),
        pytest.param(_body(BODY + b"x"), id="long body"),
        pytest.param(_drop, id="connection dropped"),
    ],
)
def test_a_passing_fault_is_tried_again(
    fault: Answer, server: Server, tmp_path: Path
) -> None:
    settings = server.will(fault, _body(BODY), attempts=2)
    sinks: list[object] = []
    came: list[int] = []

    class Sink(list[bytes]):
        def __init__(self) -> None:
            sinks.append(self)

        def update(self, chunk: bytes, /) -> None:
            self.append(chunk)

    sink = download(
        settings, "s3://movies/in", LISTED, tmp_path / "out", Sink, came.append
    )
    assert (tmp_path / "out").read_bytes() == b"".join(sink) == BODY
    assert sink is sinks[-1]
    assert sum(came) == len(BODY)
    assert set(server.asked) == {"GET /movies/in/ratings.csv"}
    assert set(server.conditions) == {'"etag"'}
    assert len(server.asked) == 2


@pytest.mark.fault("3")
def test_each_pause_is_longer_than_the_one_before(
    server: Server, tmp_path: Path
) -> None:
    settings = server.will(_body(b""), _body(b""), _body(BODY), attempts=3)
    patience = replace(settings.patience, first_pause_seconds=0.2)
    before = time.monotonic()
    _fetch(replace(settings, patience=patience), tmp_path)
    # At least half of 0.2 and half of 0.4, since a random part is subtracted.
    assert time.monotonic() - before >= 0.3


@pytest.mark.long
@pytest.mark.fault("3", "4", "6")
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (_error(500, "InternalError"), r"kept answering 500 \(InternalError\) when"),
        (_hang, "did not answer in time"),
        (_hang_in_body, r"could not be read after 2 tries \(Read timeout"),
        (_body(BODY[:-1], len(BODY)), "could not be read after 2 tries"),
        (_body(BODY[:-1]), r"2 tries \(received 1599 of 1600 bytes\)"),
        (_drop, "cannot be reached to read"),
        (_error(403, "AccessDenied"), r"may not read .* \(AccessDenied\): .*s3:GetObj"),
    ],
)
def test_a_lasting_fault_is_told_with_the_object(
    fault: Answer, message: str, server: Server, tmp_path: Path
) -> None:
    settings = server.will(fault, attempts=2)
    with pytest.raises(ReelhouseError, match=message) as raised:
        _fetch(settings, tmp_path)
    assert "canary" not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()
    # The HTTP client retries once by itself if a kept connection was closed.
    assert len(server.asked) <= (4 if fault is _drop else 2)
    assert "s3://movies/in/ratings.csv" in str(raised.value)


# Codes that S3 documents, with their status and the words of the message.
CODES = {
    "InvalidObjectState": (403, "is in an archive such as Glacier.*restore it"),
    "RequestTimeTooSkewed": (403, "clock of this machine differs.*correct it"),
    "RequestExpired": (400, "clock of this machine differs"),
    "KMS.DisabledException": (400, "ask for the permission kms:Decrypt"),
    "KMS.NotFoundException": (400, "ask for the permission kms:Decrypt"),
    "UserKeyMustBeSpecified": (400, "with a key that its reader must supply"),
    "InvalidPayer": (403, "asks its readers to pay"),
    "AccountProblem": (403, "is closed or blocked.*ask its owner"),
    "AllAccessDisabled": (403, "is closed or blocked"),
    "NotSignedUp": (403, "is closed or blocked"),
    "InvalidAccessKeyId": (403, "refused the credentials"),
    "InvalidToken": (400, "refused the credentials"),
    "ExpiredToken": (400, "refused the credentials"),
    "TokenRefreshRequired": (400, "refused the credentials"),
    "SignatureDoesNotMatch": (403, "refused the credentials"),
    "AccessDenied": (403, "ask for the permission s3:GetObject"),
    "NoSuchBucket": (404, "There is no bucket 'movies'"),
    "NoSuchKey": (404, "was removed while it was being read"),
    "NoSuchVersion": (404, "no longer exists"),
    "AuthorizationHeaderMalformed": (400, "is in another region"),
    "PreconditionFailed": (412, "was replaced while it was being read"),
    "NotImplemented": (501, "does not support all of S3"),
    "MethodNotAllowed": (405, "does not support all of S3"),
    "RequestTimeout": (400, "did not answer in time"),
    "BadDigest": (400, "arrived damaged or incomplete at"),
    "XMinioStorageFull": (507, "has no room to read"),
    "SlowDown": (503, "kept answering 503"),
    "ServiceUnavailable": (503, "kept answering 503"),
    "InternalError": (500, "kept answering 500"),
    "SomethingNew": (400, r"refused to read .* \(SomethingNew\)"),
}


# The messages of these need not show the code.
PLAIN = {"RequestTimeout", "NoSuchKey", "PreconditionFailed", "NoSuchBucket"}


@pytest.mark.long
@pytest.mark.fault("28")
def test_a_code_of_s3_is_told_in_words(server: Server, tmp_path: Path) -> None:
    with s3.one_client(server.will()):
        for code, (status, advice) in CODES.items():
            with pytest.raises(ReelhouseError, match=advice) as raised:
                _fetch(server.will(_error(status, code)), tmp_path)
            said = str(raised.value)
            assert "canary" not in said, code
            assert "\n" not in said, code
            assert (f"({code})" in said) == (code not in PLAIN), code


def _denied_by_kms(handler: BaseHTTPRequestHandler) -> None:
    body = (
        b"<Error><Code>AccessDenied</Code><Message>User: canary is not authorized to "
        b"perform: kms:Decrypt on resource: canary</Message></Error>"
    )
    handler.send_response(403)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.fault("28")
def test_a_key_that_may_not_be_used_is_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ReelhouseError, match=r"kms:Decrypt") as raised:
        _fetch(server.will(_denied_by_kms), tmp_path)
    assert "canary" not in str(raised.value)


def _page(inner: str) -> Answer:
    """Return an answer with a page of a listing."""
    begin = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'

    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = f"{begin}{inner}</ListBucketResult>".encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/xml")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


ENTRY = {
    "Key": "in/ratings.csv",
    "LastModified": "2026-01-01T00:00:00.000Z",
    "ETag": '"etag"',
    "Size": "1600",
}


def _entry(**changed: str | None) -> str:
    kept = {name: text for name, text in (ENTRY | changed).items() if text}
    inner = "".join(f"<{name}>{text}</{name}>" for name, text in kept.items())
    return f"<Contents>{inner}</Contents>"


@pytest.mark.long
@pytest.mark.fault("28")
@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("<IsTruncated>true</IsTruncated>" + _entry(), "without a new continuation"),
        (
            "<IsTruncated>true</IsTruncated>"
            "<NextContinuationToken>same</NextContinuationToken>" + _entry(),
            "listing without a new continuation token",
        ),
        (_entry(ETag=None), "a listing without ETag"),
        (_entry(Size=None), "a listing without Size"),
        (_entry(LastModified=None), "a listing without LastModified"),
        (_entry(LastModified="yesterday"), r"is not from S3 \(Invalid timestamp"),
        (_entry(Size="many"), r"is not from S3 \(invalid literal for int"),
    ],
)
def test_a_listing_of_no_s3_is_told(page: str, message: str, server: Server) -> None:
    with pytest.raises(ReelhouseError, match=message):
        list_objects(server.will(_page(page)), "s3://movies/in")
    assert len(server.asked) <= 2


@pytest.mark.fault("28")
def test_a_listing_need_not_say_that_it_is_whole(server: Server) -> None:
    listed = list_objects(server.will(_page(_entry())), "s3://movies/in")
    assert [each.key for each in listed] == ["ratings.csv"]
    assert list_objects(server.will(_page("")), "s3://movies/in") == []


def _other(etag: str | None) -> Answer:
    """Return an answer of the right length with another ETag than requested."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(BODY)))
        if etag:
            handler.send_header("ETag", f'"{etag}"')
        handler.end_headers()
        handler.wfile.write(BODY)

    return answer


def _trickle(handler: BaseHTTPRequestHandler) -> None:
    """Send one byte at a time, each within the read timeout."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.send_header("ETag", '"etag"')
    handler.end_headers()
    for at in range(20):
        handler.wfile.write(BODY[at : at + 1])
        handler.wfile.flush()
        time.sleep(0.1)
    handler.close_connection = True


@pytest.mark.long
@pytest.mark.fault("28")
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_other("other"), "was replaced while it was being read"),
        (_other(None), "returned an object without an ETag"),
        (_trickle, "could not be read after 1 tries"),
    ],
)
def test_a_body_of_no_s3_is_not_taken(
    answer: Answer, message: str, server: Server, tmp_path: Path
) -> None:
    settings = server.will(answer)
    hurried = replace(settings.patience, chunk_seconds=0.3)
    with pytest.raises(ReelhouseError, match=message):
        _fetch(replace(settings, patience=hurried), tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.fault("29")
@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "is full: make room"),
        (errno.EFBIG, "larger than this machine"),
        (errno.EMFILE, "Too many files"),
        (errno.ENOMEM, "not enough memory"),
    ],
)
def test_a_fault_of_this_machine_is_not_that_of_s3(
    server: Server, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("s3fs.S3FileSystem.call_s3", fails)
    with pytest.raises(ReelhouseError, match=words) as raised:
        list_objects(server.settings, "s3://movies/in")
    assert "S3" not in str(raised.value)


@pytest.mark.long
@pytest.mark.fault("3", "6")
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (_error(500, "InternalError"), "kept answering 500"),
        (_error(403, "AccessDenied"), r"may not list s3://movies/in .*s3:ListBucket"),
        (_error(403, "InvalidAccessKeyId"), "check AWS_ACCESS_KEY_ID"),
        (_error(404, "NoSuchBucket"), "There is no bucket 'movies'"),
        (_hang, "did not answer in time"),
    ],
)
def test_a_listing_that_fails_is_told(
    fault: Answer, message: str, server: Server
) -> None:
    with pytest.raises(ReelhouseError, match=message):
        list_objects(server.will(fault), "s3://movies/in")


@pytest.mark.long
@pytest.mark.fault("3", "6")
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (_error(503, "SlowDown"), "kept answering 503"),
        (_error(403, "AccessDenied"), r"may not write s3://movies/in/r.*s3:PutObject"),
        (_error(404, "NoSuchBucket"), "There is no bucket 'movies'"),
    ],
)
def test_an_upload_that_fails_is_told(
    fault: Answer, message: str, server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "ratings.csv"
    path.write_bytes(BODY)
    with pytest.raises(ReelhouseError, match=message):
        upload(server.will(fault), [(path, "ratings.csv")], "s3://movies/in")


@pytest.mark.fault("6")
def test_an_endpoint_that_is_down_is_named() -> None:
    down = S3Settings("http://127.0.0.1:9", "key", "canary", "us-east-1", patience=ONCE)
    with pytest.raises(
        ReelhouseError, match=r"127\.0\.0\.1:9 cannot be reached to list"
    ):
        list_objects(down, "s3://movies/in")


def test_a_password_in_the_endpoint_is_not_told() -> None:
    down = S3Settings("http://me:canary@127.0.0.1:9", "key", "secret", patience=ONCE)
    with pytest.raises(ReelhouseError, match=r"S3 at 127\.0\.0\.1:9") as raised:
        list_objects(down, "s3://movies/in")
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("endpoint", ["localhost:9000", "http://[bad"])
def test_an_endpoint_that_is_none_is_told(endpoint: str) -> None:
    with pytest.raises(ReelhouseError, match="check AWS_ENDPOINT_URL"):
        list_objects(S3Settings(endpoint, "key", "secret"), "s3://movies/in")


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


@pytest.mark.fault("6")
@pytest.mark.usefixtures("no_credentials")
def test_missing_credentials_are_told() -> None:
    nobody = S3Settings("http://127.0.0.1:9", patience=ONCE)
    with pytest.raises(ReelhouseError, match="No S3 credentials were found to list"):
        list_objects(nobody, "s3://movies/in")


@pytest.mark.fault("6")
@pytest.mark.usefixtures("no_credentials")
def test_an_unknown_profile_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ReelhouseError, match=r"nobody.* check AWS_"):
        list_objects(S3Settings(), "s3://movies/in")


@pytest.mark.usefixtures("no_credentials")
def test_the_ordinary_aws_variables_are_read(
    s3_server: S3Settings,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _put(s3_server, f"s3://{bucket}", "ratings.csv", BODY, tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.key or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint_url or "")
    assert _keys(S3Settings(), f"s3://{bucket}") == ["ratings.csv"]
