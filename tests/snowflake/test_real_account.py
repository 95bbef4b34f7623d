"""Tests that need a real account; `make test-snowflake` runs them in one.

At night they run in an emulated account, so that they work on the day when there is a
real one. They make a database of their own and drop it at the end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pandas.testing import assert_frame_equal
from streamlit.connections import SnowflakeConnection
from streamlit.testing.v1 import AppTest
from tests.delivery import Both, Delivery, assert_equal, csv
from tests.project import PROJECT
from tests.story import EDITS
from tests.tree import EditedTree

from reelhouse import settings
from reelhouse.dashboard.filters import Filters
from reelhouse.dashboard.page import At, pages, questions
from reelhouse.dashboard.published import Published, Serving
from reelhouse.dashboard.start import APP
from reelhouse.engines.snowflake.connection import Account, connector, open_account
from reelhouse.engines.snowflake.load import open_warehouse
from reelhouse.errors import ReelhouseError
from reelhouse.local.bucket import environment as aws_variables
from reelhouse.local.emulator import environment as account_variables
from reelhouse.local.emulator import serve_emulator
from reelhouse.run import RunReport
from reelhouse.s3 import S3Settings, upload
from tools import snowflake_setup

OF_A_MACHINE = ["published_at", "load_seconds", "build_seconds", "seconds"]

pytestmark = [
    pytest.mark.nightly,
    # The adapter uses a name of an argument that the connector has deprecated.
    pytest.mark.filterwarnings("ignore:The 'insecure_mode':DeprecationWarning"),
]

# `make test-snowflake` sets it: no account is used without being asked for.
ASKED = "REELHOUSE_TEST_ACCOUNT"

PARTS = ("pull-request", "drop-pull-request")

SAMPLE = PROJECT / "data/sample"
# A rating that is too high.
BAD = "3,1,5.5,1164982931"

DAYS = (date(2005, 1, 1), date(2012, 6, 30))
SOME_MOVIES = Filters(("Drama", "Comedy"), 1980, 2005, 10, *DAYS)

# One object in each schema that readers must not see.
HIDDEN = (
    "raw.ratings",
    "staging.stg_movielens__ratings",
    "intermediate.int_genres_exploded",
    "marts.dim_movies",
    "snapshots.snap_movies",
    "serving_next.dim_movies",
)
# Snowflake's errors: the object is missing or hidden from this role; not allowed.
DENIED = (2003, 2043, 3001)


@dataclass
class Desk:
    """Both targets, whether the account is real, and its setup."""

    both: Both
    is_real: bool
    setup: snowflake_setup.Setup

    def proved(self, what: str) -> None:
        place = "account" if self.is_real else "emulated account"
        print(f"  proved in the {place}: {what}", flush=True)


def missing() -> str | None:
    """Return why the requested account cannot be used, or None."""
    environ = settings.variables()
    if names := settings.missing_login(environ):
        return f"no account to test: set {', '.join(names)}"
    return None


@contextmanager
def own_database(is_real: bool) -> Iterator[snowflake_setup.Setup]:
    """Create a database of a pull request that is not there, and drop it afterwards."""
    setup = snowflake_setup.variables(settings.variables(), list(PARTS))
    with snowflake_setup.connect() as connection:
        cursor = connection.cursor()
        cursor.execute(f"show databases like '{setup['database']}'")
        if is_real and cursor.fetchall():
            raise ReelhouseError(
                f"The database {setup['database']} is there already, and this test "
                f"would drop it: set SNOWFLAKE_DATABASE to another name."
            )
        snowflake_setup.apply(connection, setup, PARTS[:1])
    try:
        yield setup
    finally:
        # The emulator cannot run this part, and its data ends with it.
        if is_real:
            with snowflake_setup.connect() as connection:
                snowflake_setup.apply(connection, setup, PARTS[1:])


@pytest.fixture(scope="module")
def desk(
    s3_server: S3Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    is_real = bool(os.environ.get(ASKED))
    folder = tmp_path_factory.mktemp("account")
    with ExitStack() as stack:
        stack.enter_context(settings.environment(aws_variables(s3_server)))
        if not is_real:
            emulator = stack.enter_context(serve_emulator())
            stack.enter_context(
                settings.environment(
                    account_variables(emulator)
                    | {"SNOWFLAKE_DATABASE": "MOVIELENS_PR_0"}
                )
            )
        elif reason := missing():
            # An assertion would print the environment with its secrets.
            if "CI" in os.environ:
                pytest.fail(reason)
            pytest.skip(reason)
        setup = stack.enter_context(own_database(is_real))
        upload(s3_server, [], "s3://account-bucket")
        dev = Delivery(s3_server, "account-bucket", folder / "dev")
        dev.put({path.name: path.read_bytes() for path in SAMPLE.glob("*.csv")})
        dev.put({"ratings.csv": csv("ratings", [*lines("ratings"), BAD])})
        prod = replace(dev, warehouse=folder / "prod", target="prod")
        yield Desk(Both(dev, prod, folder), is_real, setup)
        dev.close()


def lines(name: str) -> list[str]:
    """Return the records of a file of the sample."""
    text = (SAMPLE / f"{name}.csv").read_text(encoding="utf-8")
    return text.splitlines()[1:]


def ask(sql: str) -> list[tuple[Any, ...]]:
    with open_account("prod") as account:
        return account.ask(sql)


def only_for_a_real_one(desk: Desk, elsewhere: str) -> None:
    if not desk.is_real:
        pytest.skip(f"{elsewhere} shows it in the emulated account")


@pytest.fixture(scope="module")
def first_runs(desk: Desk) -> tuple[RunReport, RunReport]:
    """The reports of the first run on both targets, for tests that need its tables."""
    return desk.both.run()


def test_runs_are_equal_to_local_ones(
    desk: Desk,
    first_runs: tuple[RunReport, RunReport],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = first_runs
    assert ours.loaded.reject_reasons == theirs.loaded.reject_reasons != {}
    rejects = "select file, record_number, reason, text from raw.rejects"
    assert ask(rejects) == desk.both.dev.rejects()
    assert_equal(desk.both.compare())
    desk.proved("login, load by COPY, a reject with its number and reason, publish")
    only_for_a_real_one(desk, "test_targets.py")
    _, *ratings = lines("ratings")
    late, again = (",".join(line.split(",")[:2]) for line in ratings[:2])
    desk.both.dev.put(
        {
            "movies.csv": csv("movies", ["1,Lamp (1994),Drama", *lines("movies")[1:]]),
            "ratings.csv": csv("ratings", [*ratings, f"{late},2.5,864982703"]),
            "ratings/more.csv": csv("ratings", [f"{again},1.5,1700000000"]),
        }
    )
    desk.both.run()
    assert_equal(desk.both.compare())
    assert [
        row[0] for row in ask("select title from serving.dim_movies_history order by 1")
    ].count("Lamp (1994)") == 1
    desk.proved("late, re-rated and removed rows, snapshots, all tables as on DuckDB")
    tree = EditedTree(tmp_path, monkeypatch)
    tree.replace(*EDITS["history's input"])
    desk.both.run()
    assert_equal(desk.both.compare())
    tree.take_back()
    desk.both.run()
    assert_equal(desk.both.compare())
    tree.read_again()
    desk.proved("a rule behind history that changes between two loads, and back")


@pytest.mark.usefixtures("first_runs")
def test_the_unit_tests_pass_in_the_account(desk: Desk) -> None:
    # In the emulated account, all of them take minutes.
    some = "test_type:unit" if desk.is_real else "dim_movies,test_type:unit"
    report = desk.both.prod.build("--select", some, command="test")
    assert report.failures == []
    assert report.counts["unit_test"] > (80 if desk.is_real else 0)
    desk.proved(f"{report.counts['unit_test']} unit tests of the models")


@pytest.mark.usefixtures("first_runs")
def test_the_account_knows_how_fresh_the_source_is(desk: Desk) -> None:
    assert not desk.both.prod.is_fresh()
    with (
        open_warehouse(desk.both.prod.settings) as warehouse,
        warehouse.transaction({}),
    ):
        warehouse.record_listing(datetime.now(UTC).replace(tzinfo=None), 6)
    assert desk.both.prod.is_fresh()
    desk.proved("how fresh the source is")


@pytest.mark.usefixtures("first_runs")
@pytest.mark.parametrize("filters", [Filters(), SOME_MOVIES], ids=["all", "some"])
def test_dashboards_have_the_same_answers_on_both(desk: Desk, filters: Filters) -> None:
    dev = Serving(Published(desk.both.dev.settings))
    prod = Serving(Published(desk.both.prod.settings))
    for name, page in pages().items():
        of = dev.ask(page.subject)["subject"].iloc[0] if page.subject else ""
        asked = questions(page.at(At(filters, str(of))))
        here, there = dev.read(asked), prod.read(asked)
        for sql in asked:
            # Each target has its own publication time and durations.
            left, right = (
                found[sql].drop(columns=OF_A_MACHINE, errors="ignore")
                for found in (there, here)
            )
            assert_frame_equal(left, right, check_dtype=False, obj=f"{name}: {sql}")
    of = "all" if filters == Filters() else "some"
    desk.proved(f"the figures of every page of the dashboards, of {of} movies")


@pytest.mark.usefixtures("first_runs", "main_module")
def test_the_app_shows_the_same_figures_on_both(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the target that the command sets, and as deployed inside Snowflake."""

    def figures(app: AppTest) -> list[str]:
        app.run()
        assert not app.exception
        shown = "".join(each.proto.body for each in app.get("html"))
        return re.findall(r'rh-value">([^<]+)<', shown)

    monkeypatch.setenv("DBT_TARGET", "dev")
    monkeypatch.setenv("REELHOUSE_WAREHOUSE", str(desk.both.dev.warehouse))
    here = figures(AppTest.from_file(str(APP), default_timeout=120))
    assert len(here) == 5
    monkeypatch.setenv("DBT_TARGET", "prod")
    assert figures(AppTest.from_file(str(APP), default_timeout=120)) == here
    inside = AppTest.from_file(
        str(PROJECT / "streamlit_app.py"),
        default_timeout=120,
    )
    # There it is the app's session; here, a session of the same account.
    with open_account("prod") as opened:
        monkeypatch.setattr(
            SnowflakeConnection, "_connect", lambda *_: opened.connection
        )
        assert figures(inside) == here
    desk.proved("the dashboards' start page, here and inside the account")


@pytest.mark.fault("17", "23")
@pytest.mark.usefixtures("first_runs")
def test_a_failed_run_leaves_no_trace(desk: Desk) -> None:
    only_for_a_real_one(desk, "test_account.py")
    looks = (
        "select version from serving.publication",
        "select load_id from raw.loads order by load_id",
        "select movie_id, title, dbt_valid_to from snapshots.snap_movies order by 1, 3",
    )
    before = [ask(look) for look in looks]
    desk.both.dev.put({"movies.csv": csv("movies", ["1,Wrong (1994),Drama"])})
    # History has recorded the title when the run finds that a test was left out.
    untested = "assert_movies_hold_the_files"
    with pytest.raises(ReelhouseError, match=rf"not tested: {untested} \("):
        desk.both.prod.run("--exclude", untested)
    assert [ask(look) for look in looks] == before
    desk.proved("a failed run is undone: raw, ledger, history, what is published")


@pytest.mark.usefixtures("first_runs")
def test_transactions_are_as_the_loader_takes_them(desk: Desk) -> None:
    only_for_a_real_one(desk, "test_emulator.py (D10, D11)")
    with open_account("prod") as account:
        account.ask("create table raw.tried (number int)")
        account.ask("begin")
        account.ask("insert into raw.tried values (1)")
        with pytest.raises(connector().errors.ProgrammingError):
            account.ask("select * from raw.nowhere")
        account.ask("commit")
        assert account.ask("select count(*) from raw.tried") == [(1,)]
        account.ask("begin")
        account.ask("insert into raw.tried values (2)")
        account.ask("create table raw.tried_more (number int)")
        account.ask("rollback")
        assert account.ask("select count(*) from raw.tried") == [(2,)]
        for name in ("tried", "tried_more"):
            account.ask(f"drop table raw.{name}")
    desk.proved("a failed statement leaves its transaction open, and DDL commits it")


@pytest.mark.usefixtures("first_runs")
def test_usage_of_serving_is_what_a_swap_moves(desk: Desk) -> None:
    only_for_a_real_one(desk, "test_snowflake_setup.py, on a model of roles,")
    for schema, expected in (("serving", True), ("serving_next", False)):
        found = ask(f"show grants on schema {schema}")
        readers = {row[5].upper() for row in found if row[1] == "USAGE"}
        assert any(name.endswith("SERVING_READ") for name in readers) == expected
        for kind in ("table", "view"):
            for (name,) in ask(
                f"select name from {schema}.published_tables where kind = '{kind}'"
            ):
                granted = ask(f"show grants on {kind} {schema}.{name}")
                assert any(
                    row[1] == "SELECT" and row[5].upper().endswith("SERVING_READ")
                    for row in granted
                ), name
    desk.proved("clones and swapped schemas have the grants that readers need")


# What dbt inside an account needs from the tree.
TREE = ("macros", "models", "seeds", "snapshots", "tests/data_tests", "analyses")


@pytest.mark.usefixtures("first_runs")
def test_dbt_builds_inside_the_account(desk: Desk, tmp_path: Path) -> None:
    folders = [each for name in TREE for each in (PROJECT / name).rglob("*/")]
    folders += [PROJECT / name for name in TREE]
    profiles = (
        PROJECT / "scripts/snowflake/dbt_project/dbt_projects_profiles.yml"
    ).read_text()
    profile = yaml.safe_load(profiles)
    profile["reelhouse"]["outputs"]["prod"] |= {
        each: os.environ[f"SNOWFLAKE_{each.upper()}"]
        for each in ("database", "role", "warehouse")
    }
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profile))
    files = [PROJECT / "dbt_project.yml", PROJECT / "selectors.yml"]
    files += [tmp_path / "profiles.yml"]
    with open_account("prod") as account:
        account.ask("create schema apps")
        account.ask("create stage apps.tree")
        for path, where in [
            *((path, "") for path in files),
            *(
                (folder / "*.*", folder.relative_to(PROJECT).as_posix())
                for folder in folders
                if any(folder.glob("*.*"))
            ),
        ]:
            account.ask(
                f"put 'file://{path}' @apps.tree/{where} auto_compress = false "
                f"overwrite = true"
            )
        put = account.ask("list @apps.tree")
        found = {each for folder in folders for each in folder.glob("*.*")}
        assert len(put) == len(files) + len(found) > 300
        account.ask("create dbt project apps.build from '@apps.tree'")
        desk.proved("a dbt project is made of the tree")
        only_for_a_real_one(desk, "none of these tests")
        ((versions,),) = account.ask("select system$supported_dbt_versions()")
        if "1.12" not in str(versions):
            pytest.skip(f"the account offers dbt {versions}, and the tree needs 1.12")
        account.ask("execute dbt project apps.build args = 'build --select dim_dates'")
        assert account.ask(
            "select result from state.nodes where node = 'model.reelhouse.dim_dates'"
        ) == [("success",)]
    desk.proved("dbt inside the account builds and tests a model")


@contextmanager
def in_role(role: str, warehouse: str) -> Iterator[Account]:
    """Yield the account as a role of the setup; skip if the user lacks the role."""
    with (
        settings.environment(
            {"SNOWFLAKE_ROLE": role, "SNOWFLAKE_WAREHOUSE": warehouse}
        ),
        open_account("prod") as account,
    ):
        (user,) = account.ask("select current_user()")[0]
        try:
            account.ask(f"use role {role}")
        except connector().errors.Error:
            pytest.skip(f"grant role {role} to user {user} to prove this")
        account.ask("use secondary roles none")
        yield account


def refuses(account: Account, *statements: str) -> None:
    for statement in statements:
        with pytest.raises(connector().errors.ProgrammingError) as refusal:
            account.ask(statement)
        assert refusal.value.errno in DENIED, statement


@pytest.mark.usefixtures("first_runs")
def test_readers_see_what_is_published_and_nothing_else(desk: Desk) -> None:
    if not desk.is_real:
        pytest.skip("the emulated account lets everybody do everything")
    database = desk.setup["database"]
    prefix = os.environ.get("REELHOUSE_SETUP_PREFIX", "REELHOUSE")
    reporter = f"{prefix}_REPORTER"
    ask(f"grant usage on database {database} to role {reporter}")
    ask(f"grant database role {database}.serving_read to role {reporter}")
    with in_role(reporter, f"{prefix}_REPORTING") as account:
        published = account.ask("select name from serving.published_tables")
        for (relation,) in published:
            account.ask(f"select count(*) from serving.{relation}")
        refuses(
            account,
            *(f"select * from {name}" for name in HIDDEN),
            "delete from serving.dim_movies",
            "create table serving.mine (n int)",
            "drop table serving.dim_movies",
        )
    desk.proved(f"{reporter} reads {len(published)} published tables, nothing else")


@pytest.mark.usefixtures("first_runs")
def test_viewers_of_the_app_see_no_table(desk: Desk) -> None:
    if not desk.is_real:
        pytest.skip("the emulated account lets everybody do everything")
    prefix = os.environ.get("REELHOUSE_SETUP_PREFIX", "REELHOUSE")
    viewer = f"{prefix}_VIEWER"
    try:
        ask(f"grant usage on database {desk.setup['database']} to role {viewer}")
    except ReelhouseError:
        pytest.skip(f"part dashboard of the set-up makes {viewer}, to prove this")
    with in_role(viewer, f"{prefix}_APP") as account:
        refuses(
            account,
            *(f"select * from {name}" for name in (*HIDDEN, "serving.dim_movies")),
            "create schema mine",
        )
    desk.proved(f"{viewer} sees no table")
