"""Runs in an emulated account: what readers can see, and failures of the account."""

from __future__ import annotations

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
from typing import Any

import duckdb
import pytest
from tests.faults import tally
from tests.project import PROJECT

from reelhouse.engines.publication import Build, Relation, up_to_date
from reelhouse.engines.snowflake.connection import Account, literal, open_account
from reelhouse.engines.snowflake.publish import Publisher
from reelhouse.engines.snowflake.reading import fetch_serving, reading
from reelhouse.engines.warehouse import shapes_in
from reelhouse.errors import ReelhouseError
from reelhouse.local.emulator import EmulatorSettings, serve_emulator
from reelhouse.local.emulator import environment as account_variables
from reelhouse.settings import environment

PUBLISHES = 15

pytestmark = [
    pytest.mark.long,
    # The adapter uses a name of an argument that the connector has deprecated.
    pytest.mark.filterwarnings("ignore:The 'insecure_mode':DeprecationWarning"),
]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatorSettings]:
    """An emulator for one test, which may be killed or told to refuse statements."""
    with serve_emulator() as settings:
        for name, value in account_variables(settings).items():
            monkeypatch.setenv(name, value)
        yield settings


def server() -> int:
    """Return the process id of the emulator that this process has started."""
    (found,) = (
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"reelhouse.local.emulator.server" in path.read_bytes()
        and f"PPid:\t{os.getpid()}\n" in (path.parent / "status").read_text()
    )
    return found


@pytest.mark.usefixtures("in_account")
def test_an_account_says_what_it_lacks_and_what_it_refuses() -> None:
    with (
        pytest.raises(ReelhouseError, match="account has no published tables yet"),
        reading("prod"),
    ):
        pass
    with (
        pytest.raises(ReelhouseError, match=r"refused a statement \(.*NOWHERE"),
        open_account("prod") as account,
    ):
        account.ask("select * from public.nowhere")


LOSE = """
import os, signal, sys
from contextlib import contextmanager
from reelhouse.cli import main, show
from reelhouse.engines.snowflake import connection

step, server = sys.argv[1], int(sys.argv[2])
connection.NETWORK_SECONDS = 2

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
@pytest.mark.nightly
@pytest.mark.usefixtures("alone")
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
        "first, and readers still see what was published before.\n"
    )


# The result of a build: two tables and a view that joins them.
SET_UP = [
    "create schema marts",
    "create transient table marts.dim_movies (movie_id bigint, build varchar)",
    "create transient table marts.fct_ratings (movie_id bigint, build varchar)",
    "create view marts.mart_ratings as select fct_ratings.movie_id, "
    "fct_ratings.build || dim_movies.build as builds from marts.fct_ratings "
    "join marts.dim_movies on dim_movies.movie_id = fct_ratings.movie_id",
]


def built(movies: str, ratings: str = "", view: str = "") -> Build:
    """Return a build of the given versions; the first is the default."""
    relations = [
        Relation("mart_ratings", "view", view or movies, (), ()),
        Relation("dim_movies", "table", movies, (), ("movie_id",)),
        Relation("fct_ratings", "table", ratings or movies, (), ()),
    ]
    return Build(1, 1, 1, relations)


# Reads everything published in one query; each row names its build.
WHOLE = """
select said, movies, ratings, of_movies, of_ratings, of_both, counted
from (
    select version as said from serving.published_tables where name = 'dim_movies'
)
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


def fill(account: Account, version: str, rows: int) -> None:
    """Insert `rows` movies and twice as many ratings, each row with its version."""
    for table, count in (("dim_movies", rows), ("fct_ratings", 2 * rows)):
        account.ask(f"delete from marts.{table}")
        account.ask(
            f"insert into marts.{table} select mod(seq4(), {rows}), '{version}' "
            f"from table(generator(rowcount => {count}))"
        )


def read_while(publishing: threading.Event, seen: Counter[str]) -> None:
    """Read everything in a loop through a connection of its own."""
    with open_account("prod") as account:
        while publishing.is_set():
            ((version, movies, *others),) = account.ask(WHOLE)
            rows = len(version)
            assert (movies, *others) == (
                *(rows, 2 * rows),
                *(2 * version, 2 * version, 4 * version),
                5 * rows,
            ), version
            seen[version] += 1
            # The emulator is one process, which also has to publish.
            time.sleep(0.05)


@pytest.mark.nightly
@pytest.mark.fault("16")
@pytest.mark.usefixtures("in_account")
def test_readers_of_the_account_see_one_whole_version_or_the_other() -> None:
    """A version's name has as many letters as it has movies, so versions differ."""
    publishing = threading.Event()
    publishing.set()
    seen: Counter[str] = Counter()
    published = set()
    with open_account("prod") as account, ThreadPoolExecutor() as pool:
        for statement in SET_UP:
            account.ask(statement)
        try:
            for number in range(PUBLISHES):
                version = "b" * (number % 5 + 1)
                fill(account, version, len(version))
                Publisher(account).publish(built(version))
                published.add(version)
                if number == 0:
                    readers = [pool.submit(read_while, publishing, seen) for _ in "ab"]
        finally:
            publishing.clear()
        for reader in readers:
            reader.result(60)
    assert set(seen) == published
    assert seen.total() > PUBLISHES
    tally.count("publishes beside readers", PUBLISHES)
    tally.count("reads of everything meanwhile", seen.total())


@pytest.fixture
def account(in_account: EmulatorSettings) -> Iterator[Account]:  # noqa: ARG001
    """An account with a first build of three movies."""
    with open_account("prod") as account:
        for statement in SET_UP:
            account.ask(statement)
        fill(account, "bbb", 3)
        yield account


def mark(account: Account, *names: str, schema: str = "serving_next") -> None:
    """Mark the published rows, to distinguish them from rows made later."""
    for name in names:
        account.ask(f"update {schema}.{name} set build = 'mark'")


def marked(account: Account) -> set[str]:
    """Return the tables in SERVING that were not rebuilt since they were marked."""
    return {
        name
        for name in ("dim_movies", "fct_ratings")
        if account.ask(f"select 1 from serving.{name} where build = 'mark'")
    }


def test_only_what_differs_from_the_version_before_is_cloned(account: Account) -> None:
    first = Publisher(account).publish(built("one"))
    assert first.rows == 9
    second = Publisher(account).publish(built("one", "two"))
    assert second.version != first.version
    # SERVING_NEXT now has the first version, SERVING the second.
    mark(account, "dim_movies", "fct_ratings")
    third = Publisher(account).publish(built("one", "two"))
    assert marked(account) == {"dim_movies"}
    assert third.rows == 9
    assert account.ask(
        "select name, kind, row_count, version from serving.published_tables order by 1"
    ) == [
        ("dim_movies", "table", 3, "one"),
        ("fct_ratings", "table", 6, "two"),
        ("mart_ratings", "view", 6, "one"),
    ]
    assert account.ask("select version, load_id from serving.publication") == [
        (third.version, 1)
    ]
    assert up_to_date(account.ask, built("one", "two")) == third
    assert up_to_date(account.ask, built("two")) is None


CHANGES = {
    "gone": "drop table serving_next.dim_movies",
    "other columns": "alter table serving_next.dim_movies add column more bigint",
    "other rows": "delete from serving_next.dim_movies where movie_id = 1",
    "said to be another": "update serving_next.published_tables set version = 'two'",
    "never finished": "drop table serving_next.published_tables",
    "of an older layout": "alter table serving_next.published_tables "
    "drop column version",
    "a view": "create or replace view serving_next.dim_movies as "
    "select movie_id, build from marts.dim_movies",
}


@pytest.mark.nightly
def test_what_is_not_there_as_it_is_said_to_be_is_cloned_again(
    account: Account,
) -> None:
    for change in CHANGES.values():
        for _ in "ab":
            Publisher(account).publish(built("one"))
        mark(account, "dim_movies")
        if "create or replace view" in change:
            account.ask("drop table serving_next.dim_movies")
        account.ask(change)
        Publisher(account).publish(built("one"))
        assert account.ask("select count(*), min(build) from serving.dim_movies") == [
            (3, "bbb")
        ], change


def test_a_publish_that_is_killed_leaves_nothing_that_the_next_one_trusts(
    account: Account,
) -> None:
    for _ in "ab":
        Publisher(account).publish(built("one"))

    def fail() -> None:
        raise KeyboardInterrupt

    for step in ("_make", "_rows"):
        mark(account, "dim_movies", "fct_ratings")
        with pytest.MonkeyPatch.context() as patch:
            done = getattr(Publisher, step)

            def then_fail(*arguments: Any, done: Any = done, **named: Any) -> Any:
                done(*arguments, **named)
                raise KeyboardInterrupt

            patch.setattr(Publisher, step, then_fail)
            with pytest.raises(KeyboardInterrupt):
                Publisher(account).publish(built("one", "two"))
        # After `_rows`, the publish has read but not yet changed anything.
        if step == "_make":
            assert "published_tables" not in shapes_in(account.ask, "serving_next")
    with pytest.raises(KeyboardInterrupt):
        Publisher(account).publish(built("one", "two"), before_swap=fail)
    assert marked(account) == set()
    Publisher(account).publish(built("one", "three"))
    for name, rows in (("dim_movies", 3), ("fct_ratings", 6)):
        assert account.ask(f"select count(*), min(build) from serving.{name}") == [
            (rows, "bbb")
        ]


def test_views_and_what_is_no_longer_wanted_in_the_account(account: Account) -> None:
    account.ask("create schema staging")
    account.ask("create view staging.hidden as select 'it''s' as secret, 7 as number")
    account.ask(
        "create view marts.mart_secrets (secret comment 'It''s told.', number) "
        "comment = 'One.' as select secret, number from staging.hidden"
    )
    account.ask(
        "create view marts.mart_upon as with dim_movies as ("
        "select * from marts.dim_movies) select dim_movies.build, secret "
        "from dim_movies cross join marts.mart_secrets"
    )
    more = [
        Relation("mart_upon", "view", "one", (), ()),
        Relation("mart_secrets", "view", "one", (), ()),
    ]
    build = built("one")
    wider = Build(1, 1, 1, [*more, *build.relations])
    for _ in "abc":
        Publisher(account).publish(wider)
        assert account.ask("select * from serving.mart_secrets") == [("it's", 7)]
        assert set(account.ask("select * from serving.mart_upon")) == {("bbb", "it's")}
        assert account.ask(
            "select name, kind, row_count from serving.published_tables "
            "where name like 'mart_%' order by 1"
        ) == [
            ("mart_ratings", "view", 6),
            ("mart_secrets", "table", 1),
            ("mart_upon", "view", 3),
        ]
        assert account.ask(
            "select column_name, comment from information_schema.columns "
            "where table_schema = 'SERVING' and table_name = 'MART_SECRETS' "
            "order by ordinal_position"
        ) == [("SECRET", "It's told."), ("NUMBER", "")]
    for _ in "ab":
        Publisher(account).publish(build)
    for schema in ("serving", "serving_next"):
        assert {*shapes_in(account.ask, schema)} == {
            *("dim_movies", "fct_ratings", "mart_ratings"),
            *("publication", "publications", "published_tables"),
        }


class Runs:
    """Runs of one source in databases of one account, in their own processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "source"
        # A later delivery would replace what `change` changes.
        later = shutil.ignore_patterns("20*")
        shutil.copytree(PROJECT / "data/sample", self.source, ignore=later)

    def change(self, title: str) -> None:
        """Change the title of the first movie, and add a rating of it."""
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


def number_loads(published: Path) -> None:
    """Renumber loads as 1, 2 and so on: an undone load has used up its number."""
    with duckdb.connect(str(published)) as connection:
        connection.execute(
            "create or replace table serving.health_loads as select * replace "
            "(dense_rank() over (order by load_id) as load_id) "
            "from serving.health_loads"
        )


@contextmanager
def harm(folder: Path) -> Iterator[tuple[Runs, Account]]:
    """Yield the database HARMED after a run; runs inside the block publish nothing.

    After it, a whole run must give the same tables as in UNHARMED, which had no failed
    runs, and must leave no schema UNDO.
    """
    runs = Runs(folder)
    for database in ("HARMED", "UNHARMED"):
        runs.whole(database, 1)
    runs.change("Never Seen (1999)")
    published = "select version from serving.publication"
    with environment({"SNOWFLAKE_DATABASE": "HARMED"}), open_account("prod") as account:
        before = account.ask(published)
        yield runs, account
        assert account.ask(published) == before
    runs.change("Seen (1999)")
    for database in ("HARMED", "UNHARMED"):
        runs.whole(database, 3)
        with environment({"SNOWFLAKE_DATABASE": database}):
            fetch_serving(folder / f"{database}.duckdb", "prod")
    files = [folder / f"{database}.duckdb" for database in ("HARMED", "UNHARMED")]
    for file in files:
        number_loads(file)
    comparison = tally.published(*files)
    assert [table for table in comparison.tables if not table.is_equal] == []
    assert len(comparison.tables) > 30
    with environment({"SNOWFLAKE_DATABASE": "HARMED"}), open_account("prod") as account:
        left = account.ask(
            "select schema_name from information_schema.schemata "
            "where schema_name = 'UNDO'"
        )
    assert left == []


# Queries that return rows while a run is in the middle of a step.
UNDER_WAY = {
    "load": "list @raw.landing",
    "build": "select 1 from state.nodes where result = 'running'",
    "publish": "select 1 from information_schema.tables "
    "where table_schema = 'SERVING_NEXT' and table_name = 'FCT_RATINGS'",
}


@pytest.mark.nightly
@pytest.mark.fault("1", "23")
@pytest.mark.usefixtures("alone")
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


REFUSED = "^reelhouse: The account emulator refused a statement "
# Statements that the account refuses in each step, its error, and the run's message.
REFUSALS = {
    "warehouse missing": (
        r"(select|with|insert|update|delete|merge|copy) .*",
        *(606, "57P03", "No active warehouse selected in the current session."),
        rf"{REFUSED}\(000606 \(57P03\): No active .*run the command again\.$",
    ),
    "copy": (
        r"copy into raw\.landing_ratings .*",
        *(91003, "55000", "Failure using stage area. Cause: [Access Denied]"),
        rf"{REFUSED}\(091003 \(55000\): Failure using stage .*run the command again\.$",
    ),
    "copy, and what is to be undone": (
        r"(copy into raw\.landing_ratings|select name, kind from undo\.run).*",
        *(90073, "22000", "Warehouse LOADING cannot be resumed."),
        r"^reelhouse: What this run loaded .* is not undone yet \(090073 \(22000\): "
        r"Warehouse LOADING .* readers still see what was published before\.$",
    ),
    "timeout": (
        r"create .*\bint_movies_detailed\b.*",
        *(630, "57014", "Statement reached its statement or warehouse timeout."),
        r"000630 \(57014\): Statement reached.*^reelhouse: int_movies_detailed "
        r"failed, so nothing is published .* then run again\.$",
    ),
    "warehouse suspended": (
        r"create or replace transient table serving_next\..*",
        *(90073, "22000", "Warehouse TRANSFORMING cannot be resumed."),
        rf"{REFUSED}\(090073 \(22000\): Warehouse TRANSFORMING .*the command again\.$",
    ),
}


@pytest.mark.nightly
@pytest.mark.fault("23")
@pytest.mark.usefixtures("alone")
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
