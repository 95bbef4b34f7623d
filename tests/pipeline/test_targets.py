"""Both targets: after the same deliveries every published table is equal."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner
from sqlglot import exp, parse_one
from tests.delivery import Both, Delivery, assert_equal, csv
from tests.emulated import statements
from tests.project import PROJECT
from tests.snowflake_rules import assert_sent_well
from tests.story import snapshots

from reelhouse.cli import main
from reelhouse.contract import entities
from reelhouse.engines.snowflake.connection import limits, literal, open_account
from reelhouse.engines.snowflake.reading import fetch_serving
from reelhouse.engines.view_sql import Dialect, published_view
from reelhouse.errors import ReelhouseError
from reelhouse.local.bucket import environment as aws_variables
from reelhouse.local.emulator import environment as account_variables
from reelhouse.local.emulator import serve_emulator
from reelhouse.movielens.generate import generate
from reelhouse.powerbi import published_columns
from reelhouse.run import RunReport
from reelhouse.s3 import S3Settings, upload
from reelhouse.serving.compare import compare
from reelhouse.serving.export import export
from reelhouse.serving.metrics import metrics
from reelhouse.serving.query import ask
from reelhouse.settings import environment

# `make test` compares a small tree in test_state.py.
pytestmark = [
    pytest.mark.long,
    # The adapter uses a name of an argument that the connector has deprecated.
    pytest.mark.filterwarnings("ignore:The 'insecure_mode':DeprecationWarning"),
]

SAMPLE = PROJECT / "data/sample"
# Settings of an account for all users that others leave at their defaults.
OTHER_DEFAULTS = (
    "timezone = 'America/Los_Angeles' timestamp_type_mapping = TIMESTAMP_LTZ "
    "autocommit = false"
)
# Texts that engines are known to read, fold or order differently.
TEXTS = [
    "\u00a0no-break\u00a0space\u00a0",
    "İstanbul",
    "ὈΔΥΣΣΕΎΣ",
    "2006–2007",
    "back\\slash \\n \\\\",
    "\\N",
    "NULL",
    "'single' and \"double\"",
    "tab\there",
    "=1+1",
    "{{ jinja }}",
    "$$ ; drop table raw.movies; --",
    "ﬀ ligature",
    "ÀÉÎ",
    "e\u0301 decomposed",
    "🎬",
]


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@pytest.fixture(scope="module")
def both(
    s3_server: S3Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("targets")
    upload(s3_server, [], "s3://targets-bucket")
    with ExitStack() as stack:
        stack.enter_context(environment(aws_variables(s3_server)))
        emulator = stack.enter_context(serve_emulator())
        stack.enter_context(environment(account_variables(emulator)))
        with open_account("prod") as account:
            account.ask(f"alter account set {OTHER_DEFAULTS}")
        dev = Delivery(s3_server, "targets-bucket", folder / "dev")
        dev.put({path.name: path.read_bytes() for path in SAMPLE.glob("*.csv")})
        prod = replace(dev, warehouse=folder / "prod", target="prod")
        yield Both(dev, prod, folder)
        dev.close()


def deliver(dev: Delivery, folder: Path) -> None:
    """Add a delivery with many unusual rows."""
    generate(folder, 2_000, 5, dirty=True)
    ratings = (SAMPLE / "ratings.csv").read_text().splitlines()[1:]
    movies = (SAMPLE / "movies.csv").read_text(encoding="utf-8").splitlines()[1:]
    tags = (SAMPLE / "tags.csv").read_text(encoding="utf-8").splitlines()[1:]
    first, second, third = (line.split(",") for line in ratings[:3])
    dev.put(
        {
            # Two removed; others late, tied, rated again, new, or of an unknown movie.
            "2019-01-01/ratings.csv": csv(
                "ratings",
                [
                    *ratings[2:],
                    f"{first[0]},{first[1]},0.5,900000000",
                    f"{second[0]},{second[1]},5.0,{second[3]}",
                    f"{third[0]},{third[1]},4.5,1600000000",
                    "9999,1,3.0,1600000000",
                    "9999,888888,3.0,1600000000",
                ],
            ),
            # One is removed, one has a new title, and some have odd texts.
            "2019-01-01/movies.csv": csv(
                "movies",
                [
                    '1,"Another ""Title"", The (1999)",Drama|War',
                    *movies[1:-1],
                    *(
                        f"{700_000 + number},{quoted(text + ' (2001)')},Drama"
                        for number, text in enumerate(TEXTS)
                    ),
                ],
            ),
            "2019-01-01/tags.csv": csv(
                "tags",
                [
                    *tags[1:],
                    *(
                        f"9999,{number + 1},{quoted(text)},1500000000"
                        for number, text in enumerate(TEXTS)
                    ),
                ],
            ),
            # Separate objects, full of planted faults.
            **{
                f"2019-01-01/{path.stem}/dirty.csv": path.read_bytes()
                for path in folder.glob("*.csv")
            },
        }
    )


@pytest.fixture(scope="module")
def reports(both: Both) -> tuple[RunReport, RunReport]:
    """The reports of a first run of two deliveries, on each target."""
    deliver(both.dev, both.folder / "dirty")
    return both.run()


@pytest.fixture
def built(both: Both, reports: tuple[RunReport, RunReport]) -> Both:  # noqa: ARG001
    return both


def counts(report: RunReport) -> list[tuple[Any, ...]]:
    return sorted(
        (each.file, each.status, each.records, each.rows_new, each.rows_removed)
        for loaded in report.loads
        for each in loaded.entries
    )


def test_deliveries_give_equal_tables(
    built: Both, reports: tuple[RunReport, RunReport]
) -> None:
    dev, prod = reports
    assert counts(dev) == counts(prod)
    assert [each.delivery for each in prod.loads] == ["", "2019-01-01"]
    assert len(dev.loads[0].entries) == len(entities())
    assert prod.built.tests == dev.built.tests > 100
    assert prod.published
    assert dev.loaded.reject_reasons == prod.loaded.reject_reasons
    assert len(dev.loaded.reject_reasons) > 5
    assert_equal(built.compare())
    with open_account("prod") as account:
        recorded = snapshots(account.ask)
    assert recorded == snapshots(built.dev.rows)
    assert all(len(rows) > 100 for _, rows in recorded.values())
    # The deliveries contain these cases.
    for relation in (
        "dim_movies where is_inferred",
        "dim_movies where is_deleted",
        "dim_movies_history where previous_title is not null",
        "health_rejects",
    ):
        assert ask(built.prod.settings, f"select 1 from {relation} limit 1")[1]


@pytest.mark.usefixtures("built")
def test_views_read_the_schema_that_they_are_published_in() -> None:
    with open_account("prod") as account:
        texts = account.ask(
            "select view_definition from information_schema.views "
            "where lower(table_schema) = 'serving'"
        )
    assert len(texts) == 2
    for (text,) in texts:
        query = parse_one(text, dialect="snowflake").find(exp.Query)
        assert query
        tables = list(query.find_all(exp.Table))
        assert tables
        assert [table.sql() for table in tables if table.db] == []


def test_every_analysis_has_one_answer_on_the_published_tables(built: Both) -> None:
    answers = []
    for delivery in (built.dev, built.prod):
        compiled = compiled_analyses(delivery)
        assert len(compiled) == len(list((PROJECT / "analyses").glob("*.sql")))
        answers.append(
            {
                name: sorted(map(plain, ask(delivery.settings, question)[1]), key=repr)
                for name, question in compiled.items()
            }
        )
    assert answers[0] == answers[1]
    assert [name for name, rows in answers[0].items() if not rows] == []
    assert len(answers[0]["best_movies"]) == 20
    assert len(answers[0]["top_genres_of_engaged_users"]) == 5


def compiled_analyses(delivery: Delivery) -> dict[str, str]:
    """Return each analysis as compiled for a target, over the published tables."""
    delivery.build("--select", "resource_type:analysis", command="compile")
    folder = delivery.warehouse / "dbt" / delivery.target / "compiled"
    dialect: Dialect = "duckdb"
    database = "reelhouse"
    if delivery.target == "prod":
        dialect, database = "snowflake", os.environ["SNOWFLAKE_DATABASE"]
    views = {}
    for path in folder.rglob("analyses/*.sql"):
        text = path.read_text(encoding="utf-8")
        view = published_view(path.stem, text, dialect, database, "serving")
        assert not view.outside
        views[path.stem] = view.text
    return views


def plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return whole Decimals as int: engines give sums different widths."""
    return tuple(int(v) if isinstance(v, Decimal) and not v % 1 else v for v in row)


def test_a_run_that_finds_nothing_new_builds_nothing(built: Both) -> None:
    version = ask(built.prod.settings, "select * from publication")[1]
    before = len(statements())
    report = built.prod.run()
    # A run that did not know this took 98, with clones and temporary tables.
    assert len(statements()) - before <= 32
    assert report.loaded.load_id is None
    assert report.is_up_to_date
    assert report.built.counts == {}
    assert report.published
    assert ask(built.prod.settings, "select * from publication")[1] == version
    with open_account("prod") as account:
        left = account.ask(
            "select schema_name from information_schema.schemata "
            "where schema_name = 'UNDO'"
        )
    assert left == []


def test_a_planted_difference_is_found(built: Both, tmp_path: Path) -> None:
    changed = tmp_path / "changed.duckdb"
    changed.write_bytes(built.dev.settings.published.read_bytes())
    with duckdb.connect(str(changed)) as connection:
        connection.execute(
            "update serving.dim_movies set title = title || ' ' where movie_id = 5"
        )
    fetched = built.folder / f"prod-{built.day}.duckdb"
    differing = [
        (table.name, table.only_left, table.only_right, table.changed_columns)
        for table in compare(changed, fetched).tables
        if not table.is_equal
    ]
    assert differing == [("dim_movies", 0, 0, {"title": 1})]


def test_metrics_have_the_same_value(built: Both) -> None:
    for metric in metrics().values():
        values: list[Any] = [
            ask(side.settings, metric.question)[1][0][0]
            for side in (built.dev, built.prod)
        ]
        assert values[0]
        assert values[1] == pytest.approx(values[0], rel=1e-12)


def test_an_export_of_the_account_is_that_of_the_laptop(
    built: Both, tmp_path: Path
) -> None:
    dev = export(built.dev.settings, tmp_path / "dev")
    prod = export(built.prod.settings, tmp_path / "prod")
    # The row order, and so a file's SHA-256, may differ.
    assert [replace(each, sha256="") for each in prod.tables] == [
        replace(each, sha256="") for each in dev.tables
    ]
    assert published_columns(built.prod.settings) == published_columns(
        built.dev.settings
    )
    for name in ("fct_ratings", "mart_user_behaviour", "dim_dates"):
        one, other = (f"'{tmp_path / side / name}.parquet'" for side in ("dev", "prod"))
        for left, right in ((one, other), (other, one)):
            question = f"from {left} except all from {right}"
            assert duckdb.execute(question).fetchall() == []


@pytest.mark.usefixtures("built")
def test_tables_of_two_publications_are_not_fetched_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_account("prod") as account:

        def publish(version: str) -> None:
            account.ask(f"update serving.publication set version = {literal(version)}")

        ((before,),) = account.ask("select version from serving.publication")
        monkeypatch.setattr(
            "reelhouse.engines.snowflake.reading._fetch_rows",
            lambda *_: publish("later"),
        )
        try:
            with pytest.raises(ReelhouseError, match="published a new version"):
                fetch_serving(tmp_path / "fetched.duckdb", "prod")
        finally:
            publish(before)


# Every command that queries an account or changes it, except servers.
COMMANDS = {
    "validate": "load --validate",
    "publish": "publish",
    "status": "status",
    "query": "query 'select count(*) from dim_movies'",
    "report": "report --out {folder}/report.html",
    "export": "export {folder}/export",
    "power bi": "powerbi --out {folder}/powerbi",
    "compare": "compare prod prod",
}


@pytest.mark.nightly
def test_every_statement_of_every_command_passes_the_rules(
    built: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks the statements of this module's runs and of the other commands."""
    monkeypatch.setenv("REELHOUSE_WAREHOUSE", str(built.prod.warehouse))
    monkeypatch.setenv("REELHOUSE_SOURCE", built.prod.url)
    monkeypatch.setenv("REELHOUSE_MAX_REJECTS", "1")
    monkeypatch.setenv("DBT_TARGET", "prod")
    for name, value in aws_variables(built.prod.s3).items():
        monkeypatch.setenv(name, value)
    sent = statements()
    counts = {}
    for name, words in COMMANDS.items():
        arguments = shlex.split(words.format(folder=tmp_path))
        ended = CliRunner().invoke(main, arguments)
        assert ended.exit_code == 0, ended.output
        before, sent = len(sent), statements()
        counts[name] = len(sent) - before
    print(counts)
    assert counts["status"] <= 15
    assert counts["query"] <= 6
    assert counts["publish"] <= 100
    assert len({*sent}) > 1_000
    assert_sent_well(sent)


@pytest.mark.usefixtures("built")
def test_a_table_that_no_local_file_can_hold_is_named(tmp_path: Path) -> None:
    with open_account("prod") as account:
        account.ask("create table serving.odd as select to_variant('x') as anything")
        try:
            with pytest.raises(ReelhouseError, match=r"odd\.anything has type"):
                fetch_serving(tmp_path / "variant.duckdb", "prod")
        finally:
            account.ask("drop table serving.odd")


@pytest.mark.fault("23")
def test_a_build_ends_when_the_account_is_gone(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snowflake.connector.connection import DEFAULT_CONFIGURATION

    for name in ("LOGIN_SECONDS", "NETWORK_SECONDS"):
        monkeypatch.setattr(f"reelhouse.engines.snowflake.connection.{name}", 1)
    # dbt retries three times, after ten seconds each.
    waits: list[float] = []
    monkeypatch.setattr("dbt.adapters.base.connections.sleep", waits.append)
    for name in limits():
        monkeypatch.setitem(DEFAULT_CONFIGURATION, name, DEFAULT_CONFIGURATION[name])
    with serve_emulator() as emulator:
        pass
    # Otherwise the connector would go on trying.
    with (
        environment(account_variables(emulator)),
        pytest.raises(ReelhouseError, match="dbt build failed"),
    ):
        both.prod.build()
    assert set(waits) == {10}
