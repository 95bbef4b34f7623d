"""Runs in an emulated account: what readers may see, and what goes wrong there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.delivery import Delivery
from tests.faults import tally

from reelhouse import snowflake_setup
from reelhouse.emulator import EmulatorSettings, serve_emulator
from reelhouse.emulator import environment as account_variables
from reelhouse.engines.snowflake import literal, open_warehouse
from reelhouse.engines.snowflake_run import Account, ask_serving, fetch_serving
from reelhouse.errors import ReelhouseError
from reelhouse.settings import PROJECT, environment

PUBLISHES = 15

pytestmark = [
    pytest.mark.long,
    # The adapter uses an argument that the connector would have under another name.
    pytest.mark.filterwarnings("ignore:The 'insecure_mode':DeprecationWarning"),
]


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatorSettings]:
    """An empty account, to which the variables lead."""
    with serve_emulator() as settings:
        for name, value in account_variables(settings).items():
            monkeypatch.setenv(name, value)
        yield settings


def may(account: Account, *what: str) -> set[tuple[str, str]]:
    """Each privilege on some things, and the database role that has it."""
    return {
        (row[1], row[5].rpartition(".")[2])
        for thing in what
        for row in account.ask(f"show grants on {thing}")
    }


@pytest.mark.trial
@pytest.mark.usefixtures("emulator")
def test_readers_may_read_what_is_published_and_nothing_else(
    delivery: Delivery,
) -> None:
    parts = ["account", "database", "access", "whole-run"]
    with snowflake_setup.connect() as connection:
        setup = snowflake_setup.variables({}, parts)
        snowflake_setup.apply(connection, setup, parts)
    delivery.target = "prod"
    for _ in range(2):
        delivery.run()
        with open_warehouse() as warehouse:
            account = Account(warehouse.connection)
            assert may(account, "schema serving") == {("USAGE", "SERVING_READ")}
            # It has been SERVING, or is to be filled.
            assert may(account, "schema serving_next") == set()
            relations = account.ask(
                "select lower(table_schema), 'view ' || lower(table_name) "
                "from information_schema.views union all "
                "select lower(table_schema), 'table ' || lower(table_name) "
                "from information_schema.tables where table_type = 'BASE TABLE'"
            )
            names: dict[str, list[str]] = {}
            for schema, name in relations:
                names.setdefault(schema, []).append(name.replace(" ", f" {schema}."))
            assert len(names["serving"]) > 30
            assert any(name.startswith("view") for name in names["serving"])
            for name in names["serving"]:
                assert may(account, name) == {("SELECT", "SERVING_READ")}, name
            for schema in ("raw", "staging", "intermediate", "marts", "snapshots"):
                roles = {role for _, role in may(account, *names[schema])}
                assert roles <= {f"{schema.upper()}_READ", "RAW_WRITE"}, schema
                assert {role for _, role in may(account, f"schema {schema}")} == {
                    f"{schema.upper()}_READ",
                    f"{schema.upper()}_WRITE",
                }


def server() -> int:
    """The process of the emulator that this one has started."""
    (found,) = (
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"reelhouse.emulator.server" in path.read_bytes()
        and f"PPid:\t{os.getpid()}\n" in (path.parent / "status").read_text()
    )
    return found


@pytest.mark.usefixtures("emulator")
def test_an_account_says_what_it_lacks_and_what_it_refuses() -> None:
    with pytest.raises(ReelhouseError, match="account has no published tables yet"):
        ask_serving("select 1")
    with (
        pytest.raises(ReelhouseError, match=r"refused what it was told \(.*NOWHERE"),
        open_warehouse() as warehouse,
    ):
        warehouse.connection.cursor().execute("select * from nowhere")


LOSE = """
import os, signal, sys
from contextlib import contextmanager
from reelhouse import show
from reelhouse.cli import main
from reelhouse.engines import snowflake

step, server = sys.argv[1], int(sys.argv[2])
snowflake.NETWORK_SECONDS = 2

@contextmanager
def steps():
    def tell(name, done, total):
        if name == step and 2 * done >= total - 1:
            os.kill(server, signal.SIGKILL)
    yield tell

show.steps = steps
main(["run", "--target", "prod"])
"""


@pytest.mark.fault("23")
@pytest.mark.trial
@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize("step", ["load ratings.csv", "build", "publish"])
def test_an_account_that_is_lost_on_the_way_is_told_in_one_sentence(
    step: str, tmp_path: Path
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOSE, step, str(server())],
        env=os.environ | {"REELHOUSE_WAREHOUSE": str(tmp_path / "warehouse")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr == (
        "reelhouse: What this run loaded and built in the account is not undone yet "
        "(the connection was lost): the next `reelhouse run --target prod` undoes it "
        "before all else, and readers keep what was published before.\n"
    )


# What a build that qualifies has left: two tables and a view over them.
BUILT = [
    {"name": "dim_movies", "kind": "table", "key_columns": ["movie_id"]},
    {"name": "fct_ratings", "kind": "table", "ignored_columns": []},
    {"name": "mart_ratings", "kind": "view"},
]
SET_UP = [
    "create schema marts",
    "create table raw.loads (load_id bigint)",
    "insert into raw.loads values (1)",
    "create table marts.builds (invocation_id varchar, load_id bigint, "
    "is_complete boolean, reason varchar, published varchar, tests bigint, "
    "models bigint, started_at timestamp_ntz)",
    "create transient table marts.dim_movies (movie_id bigint, build varchar)",
    "create transient table marts.fct_ratings (movie_id bigint, build varchar)",
    "create view marts.mart_ratings as select fct_ratings.movie_id, "
    "fct_ratings.build || dim_movies.build as builds from marts.fct_ratings "
    "join marts.dim_movies on dim_movies.movie_id = fct_ratings.movie_id",
]
# All that a reader may see in one go: each row tells which build it is of.
WHOLE = """
select version, movies, ratings, of_movies, of_ratings, of_both, counted
from serving.publication
cross join (
    select count(*) as movies, min(build) || max(build) as of_movies
    from serving.dim_movies
)
cross join (
    select count(*) as ratings, min(build) || max(build) as of_ratings
    from serving.fct_ratings
)
cross join (select min(builds) || max(builds) as of_both from serving.mart_ratings)
cross join (select sum(row_count) as counted from serving.published_tables)
"""


def build(account: Account, version: str, rows: int) -> None:
    """A build that qualifies, with so many movies and twice as many ratings."""
    for table, count in (("dim_movies", rows), ("fct_ratings", 2 * rows)):
        account.ask(f"delete from marts.{table}")
        account.ask(
            f"insert into marts.{table} select mod(seq4(), {rows}), '{version}' "
            f"from table(generator(rowcount => {count}))"
        )
    account.ask("delete from marts.builds")
    account.ask(
        f"insert into marts.builds select '{version}', 1, true, null, "
        f"'{json.dumps(BUILT)}', 1, 1, cast('2026-01-01' as timestamp_ntz)"
    )


def read_while(publishing: threading.Event, seen: Counter[str]) -> None:
    """Ask for everything again and again through a connection of one's own."""
    with open_warehouse() as warehouse:
        account = Account(warehouse.connection)
        while publishing.is_set():
            ((version, movies, *others),) = account.ask(WHOLE)
            rows = len(version)
            assert (movies, *others) == (
                *(rows, 2 * rows),
                *(2 * version, 2 * version, 4 * version),
                5 * rows,
            ), version
            seen[version] += 1
            # The emulator is one process, which has to publish as well.
            time.sleep(0.05)


@pytest.mark.fault("16")
@pytest.mark.usefixtures("emulator")
def test_readers_of_the_account_see_one_whole_version_or_the_other() -> None:
    """A version's name is as long as it has movies, so that no two are alike."""
    publishing = threading.Event()
    publishing.set()
    seen: Counter[str] = Counter()
    published = []
    with open_warehouse() as warehouse, ThreadPoolExecutor() as pool:
        account = Account(warehouse.connection)
        for statement in SET_UP:
            account.ask(statement)
        try:
            for number in range(PUBLISHES):
                version = "b" * (number % 5 + 1)
                build(account, version, len(version))
                published.append(account.publish().version)
                if number == 0:
                    readers = [pool.submit(read_while, publishing, seen) for _ in "ab"]
        finally:
            publishing.clear()
        for reader in readers:
            reader.result(60)
    assert set(seen) == set(published)
    assert seen.total() > PUBLISHES
    tally.count("publishes beside readers", PUBLISHES)
    tally.count("reads of everything meanwhile", seen.total())


class Runs:
    """Runs of one source in databases of one account, as processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "source"
        shutil.copytree(PROJECT / "data/sample", self.source)

    def change(self, title: str) -> None:
        """Give the first movie another title, and let it be rated once more."""
        with (self.source / "ratings.csv").open("ab") as ratings:
            ratings.write(b"1,1,0.5,1500000000\r\n")
        path = self.source / "movies.csv"
        lines = path.read_bytes().split(b"\r\n")
        lines[1] = f"1,{title},Drama".encode()
        path.write_bytes(b"\r\n".join(lines))

    def start(self, database: str, day: int) -> subprocess.Popen[str]:
        variables = {
            "REELHOUSE_WAREHOUSE": str(self.folder / database),
            "REELHOUSE_MOMENT": f"2026-01-{day:02}",
            "SNOWFLAKE_DATABASE": database,
        }
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "reelhouse", "run", "--target", "prod"),
                *("--source", str(self.source)),
            ],
            env=os.environ | variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def whole(self, database: str, day: int) -> None:
        run = self.start(database, day)
        _, said = run.communicate(timeout=600)
        assert run.returncode == 0, said


@contextmanager
def harm(folder: Path) -> Iterator[tuple[Runs, Account]]:
    """The database HARMED after a run; what its next runs do comes to nothing.

    Then a whole run must lead where it leads in UNHARMED, which had no such runs, and
    leave nothing that is to be undone.
    """
    runs = Runs(folder)
    for database in ("HARMED", "UNHARMED"):
        runs.whole(database, 1)
    runs.change("Never Seen (1999)")
    published = "select version from serving.publication"
    with environment({"SNOWFLAKE_DATABASE": "HARMED"}), open_warehouse() as warehouse:
        account = Account(warehouse.connection)
        before = account.ask(published)
        yield runs, account
        assert account.ask(published) == before
    runs.change("Seen (1999)")
    for database in ("HARMED", "UNHARMED"):
        runs.whole(database, 3)
        with environment({"SNOWFLAKE_DATABASE": database}):
            fetch_serving(folder / f"{database}.duckdb")
    comparison = tally.published(folder / "HARMED.duckdb", folder / "UNHARMED.duckdb")
    assert [table.name for table in comparison.tables if not table.is_equal] == []
    assert len(comparison.tables) > 30
    with environment({"SNOWFLAKE_DATABASE": "HARMED"}), open_warehouse() as warehouse:
        left = Account(warehouse.connection).ask(
            "select table_name from information_schema.tables "
            "where table_name like 'UNDO%'"
        )
    assert left == []


# What shows that a run is in the middle of a step, as a question with an answer.
UNDER_WAY = {
    "load": "list @raw.landing",
    "build": "select 1 from marts.builds where not is_complete",
    "publish": "select 1 from information_schema.tables "
    "where table_schema = 'SERVING_NEXT' and table_name = 'FCT_RATINGS'",
}


@pytest.mark.trial
@pytest.mark.fault("1", "23")
@pytest.mark.usefixtures("emulator")
def test_kills_leave_no_trace_in_the_account(tmp_path: Path) -> None:
    with harm(tmp_path) as (runs, account):
        for question in UNDER_WAY.values():
            run = runs.start("HARMED", 2)
            deadline = time.monotonic() + 300
            while not account.ask(question):
                assert run.poll() is None, "it ended before it was killed"
                assert time.monotonic() < deadline
                time.sleep(0.05)
            run.kill()
            run.communicate()


REFUSED = "^reelhouse: The account emulator refused what it was told "
# What an account refuses in each step, with its error, and what is said of it.
REFUSALS = {
    "warehouse missing": (
        r"(select|with|insert|update|delete|merge|copy) .*",
        *(606, "57P03", "No active warehouse selected in the current session."),
        rf"{REFUSED}\(000606 \(57P03\): No active .*run it again\.$",
    ),
    "copy": (
        r"copy into raw\.landing_ratings .*",
        *(91003, "55000", "Failure using stage area. Cause: [Access Denied]"),
        rf"{REFUSED}\(091003 \(55000\): Failure using stage .*run it again\.$",
    ),
    "copy, and what is to be undone": (
        r"(copy into raw\.landing_ratings|select name, kind from raw\.undo__run).*",
        *(90073, "22000", "Warehouse LOADING cannot be resumed."),
        r"^reelhouse: What this run loaded .* is not undone yet \(090073 \(22000\): "
        r"Warehouse LOADING .* readers keep what was published before\.$",
    ),
    "timeout": (
        r"create .*\bstg_movielens__movies\b.*",
        *(630, "57014", "Statement reached its statement or warehouse timeout."),
        r"000630 \(57014\): Statement reached.*^reelhouse: stg_movielens__movies "
        r"failed, so nothing is published .* then run again\.$",
    ),
    "warehouse suspended": (
        r"create transient table serving_next\..*",
        *(90073, "22000", "Warehouse TRANSFORMING cannot be resumed."),
        rf"{REFUSED}\(090073 \(22000\): Warehouse TRANSFORMING .*run it again\.$",
    ),
}


@pytest.mark.trial
@pytest.mark.fault("23")
@pytest.mark.usefixtures("emulator")
def test_refusals_leave_no_trace_in_the_account(tmp_path: Path) -> None:
    with harm(tmp_path) as (runs, account):
        for fault, (*row, words) in REFUSALS.items():
            values = ", ".join(map(literal, row))
            account.ask(f"insert into emulator.faults values ({values}, null)")
            run = runs.start("HARMED", 2)
            _, said = run.communicate(timeout=600)
            account.ask("delete from emulator.faults")
            assert run.returncode == 1, fault
            assert re.search(words, said, re.DOTALL | re.MULTILINE), said
