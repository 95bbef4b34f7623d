"""Loads into the emulated Snowflake leave the same raw tables as loads into DuckDB."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlfluff.core import Linter
from tests.delivery import MOVIES, RATINGS, Delivery, csv

from reelhouse.contract import entities, ledger_tables
from reelhouse.engines.snowflake import engine
from reelhouse.engines.snowflake.attempt import LEASE, Undo, attempt
from reelhouse.engines.snowflake.connection import Account, literal, open_account
from reelhouse.engines.snowflake.load import Warehouse, open_warehouse
from reelhouse.errors import ReelhouseError
from reelhouse.ingest.load import LoadReport, load
from reelhouse.ingest.source import Bucket
from reelhouse.local.emulator import EmulatorSettings
from reelhouse.s3 import ObjectChanged, S3Settings, list_objects

TABLES = [*entities().values(), *ledger_tables()]
OWN = {"loaded_at", "load_key"}

BAD_RATINGS = [
    "x,1,2.0,3",
    "1,9,3.57,1000",
    "1,9,7.0,1000",
    "1,9,0.7,1000",
    "1,9,3.0,-5",
    "1,9,3.0",
    "1,9,3.0,1000,1",
    "1,9,3.0,99999999999",
    "9999999999999999999,1,3.0,1000",
    "99999999999999999999999999999999999999999,1,3.0,1000",
    "1,9,03.0,1000",
    "1,9,3.,1000",
    "01,9,3.0,1000",
    "1.0,9,3.0,1000",
    " 1,9,3.0,1000",
    "1,9,3.0,1e3",
    "1,,3.0,1000",
    '1,9,"3.0,1000',
    "",
]
TAGS = [
    *["1,1,Quiet,1100000000"] * 3,
    '2,1,"a, ""b"" \\N \\\\ \' ",1100000001',
    "3,1,,1100000002",
    "3,2,\u00a0x\u00a0İς–🎬,1100000002",
    "3,3,NULL,1100000002",
]
SCORES = [
    "1,1,0.00800000000000001",
    "1,2,1e-3",
    "1,3,NaN",
    "1,4,inf",
    "1,5,0",
    "1,6,1.0000001",
    "1,7,0x1",
    "1,8,1",
]
FIRST = {
    "movies.csv": csv("movies", MOVIES),
    "ratings.csv": csv("ratings", [*RATINGS, *BAD_RATINGS]),
    # A key is data, even if it looks like SQL.
    'ratings/it\'s \\ "quoted"; drop table raw.ratings; --.csv': csv(
        "ratings", ["7,2,2.0,1000000000"]
    ),
    "ratings/plain.csv": csv("ratings", ["7,1,2.0,1000000000", "7,9,3.57,1000"]),
    "ratings/packed.csv.gz": gzip.compress(csv("ratings", ["7,3,2.0,1000000000"])),
    "tags/Odd.CSV.GZ": gzip.compress(csv("tags", ['7,3,"a, b",1000000000'])),
    "tags.csv": csv("tags", TAGS),
    "links.csv": csv("links", ["1,007,", "2,0113497,12"], line_end="\n"),
    "genome-scores.csv": csv("genome_scores", SCORES),
    "genome-tags.csv": csv("genome_tags", ["1,007"]),
}
SECOND = {
    # One is removed, one moved, and one is there twice.
    "movies.csv": csv(
        "movies", [MOVIES[2], "1,Lanterns (1994),Drama", "1,Again (1994),Drama"]
    ),
    "ratings.csv": csv("ratings", [*RATINGS[1:], "8,1,2.0,1000000000"]),
    # Of three copies two are left, and another row now has two.
    "tags.csv": csv("tags", [*TAGS[:2], TAGS[3], TAGS[3]]),
    "links.csv": csv("links", ["2,0113497,12", "1,008,"]),
}


@pytest.fixture
def database(in_account: EmulatorSettings) -> str:
    return in_account.database


def load_prod(delivery: Delivery, stage: str | None) -> LoadReport:
    settings = replace(delivery.settings, target="prod", stage=stage)
    with open_warehouse(settings) as warehouse:
        return load(settings, Bucket(delivery.s3, delivery.url), warehouse)


def make_stage(delivery: Delivery) -> None:
    with open_account("prod") as account:
        account.ask("create schema if not exists raw")
        account.ask(f"create stage raw.bucket url = '{delivery.url}/'")


def differences(delivery: Delivery) -> dict[str, Any]:
    """Return both sides of raw tables that differ, but for times and keys of loads."""
    found = {}
    with open_account("prod") as account:
        for table in TABLES:
            names = ", ".join(c.name for c in table.columns if c.name not in OWN)
            question = f"select {names} from raw.{table.name}"
            here = sorted(delivery.rows(question), key=repr)
            there = sorted(account.ask(question), key=repr)
            if here != there:
                found[table.name] = (here, there)
    return found


@contextmanager
def told(pattern: str, number: int, state: str, message: str) -> Iterator[None]:
    """Make the emulator fail matching statements while the block runs."""
    with open_account("prod") as account:
        row = (pattern, number, state, message)
        values = ", ".join(map(literal, row))
        account.ask(f"insert into emulator.faults values ({values}, null)")
        try:
            yield
        finally:
            account.ask("delete from emulator.faults")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that is sent to the account, in order."""
    statements = []
    run = Account.run

    def listen(self: Account, sql: str, *values: object) -> Any:
        statements.append(sql)
        return run(self, sql, *values)

    monkeypatch.setattr(Account, "run", listen)
    return statements


@pytest.mark.long
@pytest.mark.parametrize(
    ("stage", "is_read"),
    [
        (None, False),
        pytest.param(None, True, marks=pytest.mark.nightly),
        pytest.param("raw.bucket", True, marks=pytest.mark.nightly),
    ],
)
def test_raw_tables_are_equal(
    s3_server: S3Settings,
    bucket: str,
    database: str,  # noqa: ARG001
    stage: str | None,
    is_read: bool,
    tmp_path: Path,
    said: list[str],
) -> None:
    """With `is_read`, the linter parses each statement as well."""
    delivery = Delivery(s3_server, bucket, tmp_path / "warehouse")
    delivery.moment = datetime(2026, 1, 1)
    if stage:
        make_stage(delivery)
    for files in (FIRST, {}, SECOND):
        if files is SECOND:
            delivery.remove("genome-scores.csv")
        delivery.put(files)
        here, there = delivery.load(), load_prod(delivery, stage)
        assert here.reject_reasons == there.reject_reasons
        assert here.entries == there.entries
        assert differences(delivery) == {}
    assert len(delivery.rejects()) == 1
    left = {each.key for each in list_objects(s3_server, delivery.url)}
    assert left == FIRST.keys() - {"genome-scores.csv"}
    delivery.close()
    # Statements that differ only in values and columns count as one. The linter does
    # not know bound values.
    forms = {
        re.sub(r"'[^']*'|[0-9]+", "", sql): sql.replace("?", "null") for sql in said
    }
    assert len(forms) > 50
    if not is_read:
        return
    linter = Linter(dialect="snowflake")
    unread = {
        sql: violations
        for sql in forms.values()
        if (violations := linter.parse_string(sql).violations)
    }
    assert unread == {}


@pytest.mark.nightly
def test_many_rejects_stay_in_the_account(
    delivery: Delivery,
    database: str,  # noqa: ARG001
    said: list[str],
) -> None:
    """More than the connector binds without a stage; creating a stage would commit."""
    delivery.moment = datetime(2026, 1, 1)
    good = [f"{user},1,4.0,1000000000" for user in range(1, 20_001)]
    bad = [f"{user},1,4.0,1000000000000" for user in range(1, 12_001)]
    titles = [f"{number},{blank},Drama" for number, blank in enumerate("\t\xa0 ", 7)]
    delivery.put({"movies.csv": csv("movies", [*MOVIES, *titles])})
    delivery.put({"ratings/1.csv": csv("ratings", good + bad)})
    settings = replace(delivery.settings, target="prod")
    with open_warehouse(settings) as warehouse:
        source = Bucket(delivery.s3, delivery.url)
        assert load(settings, source, warehouse, validate=True).rejected == 12_003
    with open_account("prod") as account:
        for table in TABLES:
            assert account.ask(f"select * from raw.{table.name}") == [], table.name
    said.clear()
    here, there = delivery.load(), load_prod(delivery, None)
    assert here.reject_reasons == there.reject_reasons
    assert differences(delivery) == {}
    inside = said[said.index("begin") : said.index("commit")]
    assert len(inside) < 100
    assert not [sql for sql in inside if re.match("create|alter|drop|truncate", sql)]


def test_one_run_at_a_time_works_in_an_account(
    delivery: Delivery,
    database: str,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    here = replace(delivery.settings, target="prod")
    there = replace(here, warehouse=tmp_path / "elsewhere")
    in_use = r"^The account is in use by process \d+ of .* on .*: wait for it to end\."
    with open_account("prod") as account:
        first, second = (Undo(account, each.warehouse) for each in (here, there))
        first.keep({})
        with pytest.raises(ReelhouseError, match=in_use):
            second.undo()
        with pytest.raises(ReelhouseError, match=in_use), engine.open_warehouse(there):
            pass
        with pytest.raises(ReelhouseError, match="another run, which has just started"):
            second.keep({})
        # The loser's own cleanup does not remove the other run's lease.
        second.undo()
        assert account.ask(f"select count(*) from {LEASE}") == [(1,)]
        # The folder's own lock is free, so its lease was left by a killed run.
        with engine.open_warehouse(here):
            assert LEASE not in account.tables()
        first.is_kept = False
        first.keep({})
        account.run(f"update {LEASE} set until = '2020-01-01'")
        with engine.open_warehouse(there):
            assert LEASE not in account.tables()


@pytest.mark.nightly
def test_rows_that_were_changed_by_hand_are_loaded_again(
    delivery: Delivery,
    database: str,  # noqa: ARG001
) -> None:
    load_prod(delivery, None)
    settings = replace(delivery.settings, target="prod")
    with open_account("prod") as account:
        account.run("delete from raw.ratings where user_id = 2")
        with pytest.raises(ReelhouseError, match=r"raw\.ratings has 2 current and"):
            load_prod(delivery, None)
        for is_kept in (False, True):
            with suppress(RuntimeError), attempt(settings, dict, True) as made:
                assert not made.lacks_history
                with made.open() as warehouse:
                    source = Bucket(delivery.s3, delivery.url)
                    assert load(settings, source, warehouse).live_rows["ratings"] == 4
                if not is_kept:
                    raise RuntimeError
                made.skip_publish()
            ((rows,),) = account.ask("select count(*) from raw.ratings")
            assert rows == (4 if is_kept else 2)


def test_a_stage_of_another_bucket_is_refused(
    delivery: Delivery,
    database: str,  # noqa: ARG001
) -> None:
    with pytest.raises(ReelhouseError, match=r"raw\.bucket is missing, but"):
        load_prod(delivery, "raw.bucket")
    delivery.folder = "elsewhere"
    make_stage(delivery)
    delivery.folder = "source"
    with pytest.raises(ReelhouseError, match=r"bucket shows s3://.*elsewhere/, but"):
        load_prod(delivery, "raw.bucket")


@pytest.mark.long
@pytest.mark.fault("5", "23")
def test_an_object_replaced_after_its_check_is_not_loaded(
    delivery: Delivery,
    database: str,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_stage(delivery)
    staged = Warehouse._staged
    users = count(100)

    def replaced(self: Warehouse, csv_file: Any) -> Any:
        # As many records as before, so only its entity tag shows the change.
        changed = [*RATINGS[:-1], f"{next(users)},1,1.0,1000000000"]
        delivery.put({"ratings.csv": csv("ratings", changed)})
        return staged(self, csv_file)

    monkeypatch.setattr(Warehouse, "_staged", replaced)
    with pytest.raises(ObjectChanged, match=r"ratings\.csv was replaced"):
        load_prod(delivery, "raw.bucket")
    with open_account("prod") as account:
        assert account.ask("select * from raw.ratings") == []


@pytest.mark.long
@pytest.mark.fault("23")
def test_a_failed_copy_leaves_no_file_on_the_stage(
    delivery: Delivery,
    database: str,  # noqa: ARG001
) -> None:
    with open_account("prod") as account:
        account.run(
            "insert into emulator.faults values (?, 100078, '22000', 'Cut off.', 1)",
            r"copy into raw\.landing_ratings .*",
        )
    with pytest.raises(ReelhouseError, match=r"Cut off\."):
        load_prod(delivery, None)
    with open_account("prod") as account:
        assert account.ask("list @raw.landing") == []
    load_prod(delivery, None)


@pytest.mark.long
def test_a_large_file_is_put_as_it_is(
    delivery: Delivery,
    database: str,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_account("prod") as account:
        account.run("delete from emulator.statements")
        monkeypatch.setattr("reelhouse.engines.snowflake.load.PARALLEL_BYTES", 0)
        load_prod(delivery, None)
        sent = [
            text
            for (text,) in account.ask("select text from emulator.statements")
            if text.startswith(("put ", "copy "))
        ]
        assert account.ask("select count(*) from raw.ratings") == [(len(RATINGS),)]
    assert [text.split()[0] for text in sent] == ["put", "copy"] * 2
    assert all("auto_compress = false" in text for text in sent[::2])
    assert all("compression = none" in text for text in sent[1::2])
    assert all("multi_line = false" in text for text in sent[1::2])


# A statement that fails, with Snowflake's error for it.
REFUSALS = {
    "no warehouse": (
        r"(select|with|insert|update|delete|merge|copy) .*",
        *(606, "57P03", "No active warehouse selected in the current session."),
    ),
    "a warehouse that is suspended on the way": (
        r"insert into raw\.ratings .*",
        *(90073, "22000", "Warehouse LOADING cannot be resumed."),
    ),
    "a statement that takes too long": (
        r"insert into raw\.ratings .*",
        *(630, "57014", "Statement reached its statement or warehouse timeout."),
    ),
    "a copy that fails after another": (
        r"copy into raw\.landing_ratings .*",
        *(91003, "55000", "Failure using stage area. Cause: [Access Denied]"),
    ),
}


@pytest.mark.long
@pytest.mark.fault("23")
def test_refusals_are_told_and_leave_no_trace(
    delivery: Delivery,
    database: str,  # noqa: ARG001
) -> None:
    delivery.moment = datetime(2026, 1, 1)
    delivery.load()
    load_prod(delivery, None)
    delivery.put({"ratings.csv": csv("ratings", [*RATINGS, "8,1,2.0,1000000000"])})
    delivery.put({"movies.csv": csv("movies", MOVIES[:2])})
    for fault, (pattern, number, state, message) in REFUSALS.items():
        with (
            told(pattern, number, state, message),
            pytest.raises(ReelhouseError) as raised,
        ):
            load_prod(delivery, None)
        assert str(raised.value) == (
            f"The account emulator refused a statement ({number:06} ({state}): "
            f"{message}): check the role and the warehouse against docs/snowflake.md, "
            f"then run the command again."
        ), fault
        assert differences(delivery) == {}, fault
    delivery.load()
    load_prod(delivery, None)
    assert differences(delivery) == {}


@pytest.mark.fault("23")
@pytest.mark.parametrize(
    ("number", "message"),
    [
        (390144, "JWT token is invalid."),
        (390100, "Incorrect username or password was specified."),
        (390422, "IP 192.0.2.1 is not allowed to access Snowflake."),
    ],
)
def test_a_login_that_is_refused_is_told(
    database: str,  # noqa: ARG001
    number: int,
    message: str,
) -> None:
    with (
        told("login emulator", number, "08004", message),
        pytest.raises(ReelhouseError) as raised,
        open_account("prod"),
    ):
        pass
    assert re.fullmatch(
        rf"The account emulator does not let emulator log in \({number} \(\w+\): .*"
        rf"{re.escape(message)}\): check the variables SNOWFLAKE_…\.",
        str(raised.value),
    )
    with open_account("prod") as account:
        assert account.ask("select 1") == [(1,)]
