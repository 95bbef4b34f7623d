"""Loads from an S3 that fails, hangs, cuts bodies short, or changes during the load."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.delivery import RATINGS, Delivery, csv
from tests.faults import tally
from tests.faults.conftest import Desk
from tests.faults.proxy import (
    Answer,
    Proxy,
    after,
    cut,
    drop,
    error,
    fall_silent,
    hang,
    serve_proxy,
    shorten,
)

from reelhouse.errors import ReelhouseError
from reelhouse.s3 import Patience, S3Settings

# `make test` covers the S3 faults one by one, in test_s3.py.
pytestmark = pytest.mark.long

QUICK = Patience(
    connect_seconds=0.5, read_seconds=0.3, attempts=3, first_pause_seconds=0.01
)
MORE = {"ratings.csv": csv("ratings", [*RATINGS, "7,1,4.5,1104982703"])}
LIST = "^GET .*list-type"
READ = "^GET .*/ratings.csv"


def failing(*numbers: str, quick: bool = False, **answers: Answer) -> list[Any]:
    """Return cases of some faults; all but the quick ones run only at night."""
    marks = [pytest.mark.fault(*numbers), *([] if quick else [pytest.mark.nightly])]
    return [
        pytest.param(answer, marks=marks, id=name.replace("_", " "))
        for name, answer in answers.items()
    ]


FAULTS = [
    *failing("3", quick=True, slow_down=error(503, "SlowDown")),
    *failing(
        "3",
        internal_error=error(500, "InternalError"),
        unavailable=error(503, "ServiceUnavailable"),
        no_answer=hang,
        connection_dropped=drop,
    ),
]
BODIES = [
    *failing("4", quick=True, cut_body=cut),
    *failing("3", "4", silence_in_the_body=fall_silent),
    *failing("4", fewer_bytes=shorten),
]
REFUSALS = {
    "may not list": (LIST, error(403, "AccessDenied"), "may not list s3://"),
    "may not read": (READ, error(403, "AccessDenied"), r"may not read .*/ratings\.csv"),
    "unknown key": (LIST, error(403, "InvalidAccessKeyId"), "refused the credentials"),
    "wrong secret": (
        READ,
        error(403, "SignatureDoesNotMatch"),
        "refused the credentials",
    ),
    "old token": (LIST, error(400, "ExpiredToken"), "refused the credentials"),
    "no bucket": (LIST, error(404, "NoSuchBucket"), "There is no bucket 'test-"),
}


@pytest.fixture
def proxy(s3_server: S3Settings) -> Iterator[Proxy]:
    assert s3_server.endpoint_url
    with serve_proxy(s3_server.endpoint_url) as proxy:
        yield proxy


def behind(proxy: Proxy, delivery: Delivery, warehouse: Path | None = None) -> Delivery:
    """Return the same delivery with the proxy as its S3 endpoint."""
    delivery.close()
    s3 = replace(delivery.s3, endpoint_url=proxy.endpoint, patience=QUICK)
    other = replace(delivery, s3=s3, warehouse=warehouse or delivery.warehouse)
    if other.settings.database.exists():
        # The proxy's address would otherwise count as another source.
        with duckdb.connect(str(other.settings.database)) as connection:
            source = other.settings.source_name
            connection.execute("update raw.loads set source = ?", [source])
    return other


def raw(delivery: Delivery) -> list[tuple[Any, ...]]:
    """Return every row of the raw tables, including the ledger's."""
    names = delivery.rows(
        "select table_name from duckdb_tables() where schema_name = 'raw' order by 1"
    )
    found = [
        (name, *row)
        for (name,) in names
        for row in delivery.rows(
            "select columns(lambda c: c not in "
            "('loaded_at', 'listed_at', 'load_key', 'source')) "
            f"from raw.{name}"
        )
    ]
    delivery.close()
    return found


def check(expected: list[tuple[Any, ...]], found: list[tuple[Any, ...]]) -> None:
    tally.rows(expected, found)
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


@pytest.mark.parametrize(
    "on",
    [pytest.param(LIST, id="listing", marks=pytest.mark.nightly), READ],
    ids=lambda _: "reading",
)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_load_outlasts_a_passing_fault(
    delivery: Delivery, proxy: Proxy, tmp_path: Path, fault: Answer, on: str
) -> None:
    outlast(delivery, proxy, tmp_path, fault, on)


@pytest.mark.parametrize("fault", BODIES)
def test_a_load_fetches_a_body_again(
    delivery: Delivery, proxy: Proxy, tmp_path: Path, fault: Answer
) -> None:
    outlast(delivery, proxy, tmp_path, fault, READ)


def outlast(
    delivery: Delivery, proxy: Proxy, folder: Path, fault: Answer, on: str
) -> None:
    delivery.load()
    expected = raw(delivery)
    proxy.will(fault, on, times=2)
    other = behind(proxy, delivery, folder / "other")
    other.load()
    assert proxy.orders[0].times == 0
    check(expected, raw(other))


@pytest.mark.parametrize("fault", [*FAULTS, *BODIES])
def test_a_lasting_fault_names_the_object_and_changes_nothing(
    delivery: Delivery, proxy: Proxy, fault: Answer
) -> None:
    delivery.load()
    before = raw(delivery)
    delivery.put(MORE)
    proxy.will(fault, READ)
    with pytest.raises(
        ReelhouseError, match=r"s3://.*/source/ratings\.csv.*try|: check"
    ):
        behind(proxy, delivery).load()
    # The HTTP client retries once by itself if a kept connection was closed.
    assert sum("/ratings.csv" in each for each in proxy.asked) <= 2 * QUICK.attempts
    check(before, raw(delivery))
    assert not (delivery.warehouse / "scratch").exists()


@pytest.mark.fault("6")
@pytest.mark.parametrize(
    ("on", "fault", "message"),
    [
        pytest.param(
            *each, id=name, marks=[pytest.mark.nightly] * (name != "may not read")
        )
        for name, each in REFUSALS.items()
    ],
)
def test_a_refusal_is_told_and_changes_nothing(
    delivery: Delivery, proxy: Proxy, on: str, fault: Answer, message: str
) -> None:
    delivery.load()
    before = raw(delivery)
    delivery.put(MORE)
    proxy.will(fault, on)
    with pytest.raises(ReelhouseError, match=message) as raised:
        behind(proxy, delivery).load()
    assert "canary" not in str(raised.value)
    check(before, raw(delivery))


@pytest.mark.fault("5")
def test_an_object_replaced_before_it_is_read_is_listed_again(
    delivery: Delivery, proxy: Proxy, tmp_path: Path
) -> None:
    proxy.will(after(lambda: delivery.put(MORE)), READ, times=1)
    other = behind(proxy, delivery, tmp_path / "other")
    other.load()
    assert sum("list-type" in each for each in proxy.asked) == 2
    delivery.load()
    check(raw(delivery), raw(other))


@pytest.mark.fault("5")
def test_an_object_that_is_replaced_again_and_again_is_not_loaded(
    delivery: Delivery, proxy: Proxy
) -> None:
    delivery.load()
    before = raw(delivery)
    times = iter(range(1_000_000_000, 1_000_000_010))

    def replace_it() -> None:
        lines = [*RATINGS, f"7,1,4.5,{next(times)}"]
        delivery.put({"ratings.csv": csv("ratings", lines)})

    replace_it()
    proxy.will(after(replace_it), READ)
    with pytest.raises(ReelhouseError, match=r"ratings\.csv was replaced while it was"):
        behind(proxy, delivery).load()
    assert sum("/ratings.csv" in each for each in proxy.asked) == 2
    check(before, raw(delivery))


@pytest.mark.fault("5")
def test_an_object_that_is_removed_before_it_is_read_is_not_missed(
    delivery: Delivery, proxy: Proxy, tmp_path: Path
) -> None:
    late = "ratings/late.csv"
    delivery.put({late: csv("ratings", RATINGS[:1])})
    proxy.will(after(lambda: delivery.remove(late)), "^GET .*/late.csv")
    other = behind(proxy, delivery, tmp_path / "other")
    other.load()
    delivery.load()
    check(raw(delivery), raw(other))


def endpoint(url: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": url, "AWS_ENDPOINT_URL_S3": url}


RUNS = {
    "busy": (error(503, "SlowDown"), r"kept answering 503 \(SlowDown\).*ratings\.csv"),
    "cut": (cut, r"ratings\.csv could not be read after 4 tries"),
    "no permission": (error(403, "AccessDenied"), r"may not read .*ratings\.csv"),
}


@pytest.mark.nightly
@pytest.mark.fault("3", "4", "6")
@pytest.mark.parametrize(("fault", "message"), RUNS.values(), ids=RUNS)
def test_a_run_that_cannot_read_leaves_everything_as_it_was(
    desk: Desk, proxy: Proxy, fault: Answer, message: str
) -> None:
    before = desk.prints()
    proxy.will(fault, READ)
    run = desk.start(variables=endpoint(proxy.endpoint))
    assert run.wait() == 1
    desk.check_message(run, message)
    assert desk.prints() == before


@pytest.mark.nightly
@pytest.mark.fault("6")
def test_a_run_without_an_endpoint_leaves_everything_as_it_was(desk: Desk) -> None:
    before = desk.prints()
    run = desk.start(variables=endpoint("http://127.0.0.1:9"))
    assert run.wait() == 1
    desk.check_message(run, r"127\.0\.0\.1:9 cannot be reached to list")
    assert desk.prints() == before
