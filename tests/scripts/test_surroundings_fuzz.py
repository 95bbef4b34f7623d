"""A fuzz test of the environment: litter in a source, server answers, variables.

In any case every file of a source is sorted, what is read has the listed bytes, and
what is not read gives a message of one sentence.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.delivery import MOVIES, RATINGS, csv

from reelhouse.errors import ReelhouseError
from reelhouse.ingest.source import list_folder
from reelhouse.s3 import Patience, S3Object, S3Settings, download, list_objects, upload
from reelhouse.settings import environment

IS_FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
FEW = settings(
    max_examples=200 if IS_FUZZ else 6,
    deadline=None,
    database=None,
    derandomize=not IS_FUZZ,
    suppress_health_check=list(HealthCheck),
)
ONCE = Patience(connect_seconds=2, read_seconds=0.3, attempts=1, chunk_seconds=0.5)
BODY = csv("ratings", RATINGS)
LISTED = S3Object("ratings.csv", "etag", len(BODY), datetime(2026, 1, 1, tzinfo=UTC))

# --- Litter

PARTS = st.one_of(
    st.sampled_from(
        [
            *(
                "ratings",
                "ratings.csv",
                "movies",
                "tags.csv",
                "genome-scores",
                "ml-25m",
                "2018-09-26",
                "2018-13-01",
            ),
            *(".ipynb_checkpoints", "_temporary", ".DS_Store", "__MACOSX", "u.data"),
            *("part-00000", "x.CSV", "x.csv.gz", "ratings.dat", "::error::x.csv"),
        ]
    ),
    st.text("ab.-_ \n\x1b\u202e[*]'\"#?é", min_size=1, max_size=8),
)


@pytest.mark.fault("30")
@FEW
@given(st.lists(st.lists(PARTS, min_size=1, max_size=4), max_size=8))
def test_a_source_is_sorted_out_to_the_last_file(litter: list[list[str]]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "movies.csv").write_bytes(csv("movies", MOVIES))
        (folder / "ratings.csv").write_bytes(BODY)
        for parts in litter:
            path = folder.joinpath(*parts)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"x")
            except OSError:  # one is a file where the other has a folder
                continue
        files = {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file()
        }
        listing = list_folder(folder)
    read = [key for keys in listing.by_entity.values() for key in keys]
    assert sorted([*read, *listing.ignored]) == sorted(files)
    assert {"movies.csv", "ratings.csv"} <= set(read)
    for key in read:
        assert key.lower().endswith((".csv", ".csv.gz"))
        assert not any(part[0] in "._" for part in key.split("/"))
    assert len(listing.hints) <= len(listing.ignored)


# --- Answers

HEADERS = {
    "ETag": st.sampled_from(['"etag"', '"other"', "etag", 'W/"etag"', ""]),
    "Content-Type": st.sampled_from(["application/xml", "text/html", "binary/odd"]),
    "Content-Encoding": st.sampled_from(["gzip", "identity", "nonsense"]),
    "Location": st.just("http://127.0.0.1:9/elsewhere"),
    "Content-Length": st.sampled_from(["0", "5", str(len(BODY)), "100000"]),
    "x-amz-bucket-region": st.sampled_from(["eu-west-1", ""]),
}
ENTRY = (
    "<Contents><Key>in/ratings.csv</Key><ETag>&quot;etag&quot;</ETag>"
    f"<Size>{len(BODY)}</Size><LastModified>2026-01-01T00:00:00Z</LastModified>"
    "</Contents>"
)
BODIES = st.one_of(
    st.sampled_from(
        [
            BODY,
            BODY[:-1],
            BODY + b"x",
            BODY[:-1] + b"x",
            b"",
            b"<html>",
            b"<Error><Code>Odd</Code><Message>canary</Message></Error>",
            f"<ListBucketResult>{ENTRY}</ListBucketResult>".encode(),
            b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            b"<ListBucketResult><Contents><Size>x</Size></Contents></ListBucketResult>",
        ]
    ),
    st.binary(max_size=40),
)
ANSWERS = st.tuples(
    st.sampled_from([200, 200, 200, 204, 206, 304, 400, 403, 404, 412, 429, 500, 503]),
    st.fixed_dictionaries({}, optional=HEADERS),
    BODIES,
)


@contextmanager
def answering(answer: tuple[int, dict[str, str], bytes]) -> Iterator[S3Settings]:
    status, headers, body = answer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield S3Settings(
            f"http://127.0.0.1:{http.server_address[1]}",
            *("key", "secret", "us-east-1"),
            patience=ONCE,
        )
        http.shutdown()


def told(call: Callable[[], object]) -> bool:
    """Whether a call fails, with a message of one sentence."""
    try:
        call()
    except ReelhouseError as error:
        message = str(error)
    else:
        return False
    assert message.isprintable()
    assert message.endswith(".")
    return True


@pytest.mark.nightly
@pytest.mark.fault("30")
@FEW
@given(ANSWERS)
@example((206, {}, BODY))
@example((400, {"Content-Length": str(len(BODY))}, BODY[:-1]))
@example((200, {"Content-Length": "100000"}, b"<ListBucketResult>"))
def test_what_is_read_is_what_was_listed(
    answer: tuple[int, dict[str, str], bytes],
) -> None:
    with answering(answer) as s3, TemporaryDirectory() as folder:
        told(lambda: list_objects(s3, "s3://movies/in"))
        to = Path(folder) / "out"
        if told(lambda: download(s3, "s3://movies/in", LISTED, to, hashlib.sha256)):
            assert not to.exists()
        else:
            # The answer claims to be the listed object, and has as many bytes.
            assert answer[1]["ETag"].removeprefix("W/").strip('"') == "etag"
            assert to.stat().st_size == len(BODY)


# --- Variables

NAMES = st.sampled_from(
    [
        *("AWS_PROFILE", "AWS_CA_BUNDLE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"),
        *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_MAX_ATTEMPTS"),
        *("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_RETRY_MODE", "AWS_USE_FIPS_ENDPOINT"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_STS_REGIONAL_ENDPOINTS"),
        *("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_USE_DUALSTACK_ENDPOINT"),
        *("FSSPEC_S3", "FSSPEC_S3_ANON", "FSSPEC_S3_ENDPOINT_URL", "FSSPEC_S3_KEY"),
        *("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"),
        *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "BOTO_CONFIG"),
        *("MOTO_ACCOUNT_ID", "S3FS_LOGGING_LEVEL", "TZ", "LC_ALL"),
    ]
)
VALUES = st.sampled_from(
    ["", "true", "no", "/nowhere", "http://127.0.0.1:9", "x", "0", "{}", '{"anon": 1}']
)


@pytest.mark.long
@pytest.mark.fault("30")
@FEW
@given(st.dictionaries(NAMES, VALUES, max_size=6))
@example({"AWS_STS_REGIONAL_ENDPOINTS": "true"})
def test_no_variable_leads_away_from_the_local_bucket(
    s3_server: S3Settings, variables: dict[str, str]
) -> None:
    with environment(variables), TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        path.write_bytes(BODY)
        upload(s3_server, [(path, "ratings.csv")], "s3://surroundings")
        (listed,) = list_objects(s3_server, "s3://surroundings")
        to = Path(folder) / "out"
        download(s3_server, "s3://surroundings", listed, to, hashlib.sha256)
        assert to.read_bytes() == BODY
