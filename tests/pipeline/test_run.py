"""Runs of several deliveries: what is published equals what the bucket holds."""

from __future__ import annotations

import json
import random
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.delivery import PUBLISHED, UNTESTED, Delivery, csv, query
from tests.faults import tally
from tests.kept import MAKERS, TREE, kept
from tests.project import PROJECT

from reelhouse.cli.build import _show_run
from reelhouse.engines.duckdb.connection import connect
from reelhouse.errors import ReelhouseError
from reelhouse.s3 import S3Settings, upload
from reelhouse.settings import Settings
from reelhouse.transform.build import build, manifest_of
from tools.diagram import PAGE

MOVIES = [
    "1,Lantern (1994),Drama|Comedy",
    '2,"Harbour, The (1999)",Drama',
    "3,Salt (2001),Comedy",
    "4,  No Year At All ,(no genres listed)",
    "5,Unseen (2003),War",
]
LINKS = ["1,0114709,862", "2,0113497,", "5,0000005,", "77,0000077,77"]
TAGS = ["1,1,Quiet,1100000000", "9,2, quiet ,1100000001", "9,4,  ,1100000002"]
RATINGS = [
    f"{user},{movie},{(user * movie) % 10 / 2 + 0.5},{1_000_000_000 + user * 86_400}"
    for user in range(1, 13)
    for movie in range(1, 4)
]
SECOND = [
    *RATINGS[2:-3],  # two of user 1's ratings and all of user 12's are removed
    "2,1,0.5,900000000",  # late: older than the existing one
    "3,1,5.0,1000259200",  # tied with the existing one
    "4,1,4.5,1300000000",  # rated again
    "5,99,3.0,1300000001",  # of a movie that is in no file
    "20,4,2.5,1300000002",  # a new user
]
# In one load in between, a title and a tag differ. Then two movies, one of which is
# still rated, and a tag are removed.
BETWEEN = {
    "movies.csv": csv("movies", ["1,Lanterns (1994),Drama|Comedy", *MOVIES[1:]]),
    "tags.csv": csv("tags", ["1,1,Loud,1100000000", *TAGS[1:]]),
}
AFTER = {
    "movies.csv": csv("movies", [MOVIES[0], *MOVIES[2:4]]),
    "tags.csv": csv("tags", [TAGS[0], TAGS[2]]),
}
STORY = {
    (1, 1): None,  # removed
    (12, 3): None,  # removed with the user
    (2, 1): "1.5",  # the late rating loses
    (3, 1): "5.0",  # the higher of the tied ratings wins
    (4, 1): "4.5",  # the later rating wins
    (5, 99): "3.0",  # kept, its movie inferred
}
BOXES = re.MULTILINE | re.DOTALL
TITLES = (
    "select title from marts.dim_movies_history where movie_id = 1 "
    "order by version_number"
)
Desk = Callable[[str], Delivery]
State = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def desk(s3_server: S3Settings, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A function that returns a new warehouse of the module's bucket."""
    folder = tmp_path_factory.mktemp("run")
    upload(s3_server, [], "s3://run-bucket")
    moment = datetime(2026, 1, 1)
    return lambda name: Delivery(s3_server, "run-bucket", folder / name, moment=moment)


@pytest.fixture(scope="module")
def grown(desk: Desk) -> Delivery:
    """A warehouse after its first run."""
    delivery = desk("grown").put(
        {
            "movies.csv": csv("movies", MOVIES),
            "links.csv": csv("links", LINKS),
            "tags.csv": csv("tags", TAGS),
            "ratings.csv": csv("ratings", RATINGS),
        }
    )
    report = delivery.run()
    assert not report.built.failures
    assert report.built.tests > 100
    assert report.loaded.missing == ["genome-scores.csv", "genome-tags.csv"]
    return delivery


def ask(delivery: Delivery, question: str) -> object:
    """Return the only value of a query on the published tables."""
    ((value,),) = query(delivery.settings.published, question)[1]
    return value


def same(found: State, expected: State) -> None:
    """Check that the same tables have the same rows."""
    for name, rows in expected.items():
        tally.rows(rows, found.get(name, []))
    assert found == expected


@pytest.mark.long
def test_a_build_says_that_nothing_is_loaded(desk: Desk) -> None:
    empty = desk("empty")
    empty.warehouse.mkdir(exist_ok=True)
    with pytest.raises(ReelhouseError, match=r"Nothing is loaded yet.*reelhouse run"):
        empty.build()


def test_variables_that_no_rule_can_use_stop_the_build(desk: Desk) -> None:
    wrong = {
        "bayesian_prior_count": ("many", "a whole number from 0"),
        "min_movie_ratings": ("100", "a whole number from 0"),
        "top_n_tags": (0, "a whole number from 1"),
        "as_of_load_id": ("first", "a whole number from 1"),
        "neighbour_likes": (2.5, "a whole number from 1"),
        "momentum_rising_factor": (True, "a number above 0"),
        "min_rated_at": ("yesterday", "a UTC moment such as"),
    }
    empty = desk("empty")
    empty.warehouse.mkdir(exist_ok=True)
    values = {name: value for name, (value, _) in wrong.items()}
    with pytest.raises(ReelhouseError, match="The variable ") as caught:
        empty.build("--vars", json.dumps(values))
    for name, (value, wanted) in wrong.items():
        assert f" {name} is '{value}': write {wanted}" in str(caught.value)


def test_every_variable_is_looked_at() -> None:
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    check = (PROJECT / "macros/check_variables.sql").read_text()
    # The variable `environment` is a hash, which needs no check.
    looked_at = {*re.findall(r"'(\w+_\w+)'", check), "environment"}
    assert set(project["vars"]) == looked_at


def test_the_unit_tests_pass(sample: Settings) -> None:
    """Skipped if they have already passed on the same bytes."""

    def check(folder: Path) -> None:
        folder.mkdir()
        shutil.copy(sample.database, folder)
        units = ("--select", "test_type:unit")
        report = build(sample, folder, arguments=units, command="test")
        assert report.failures == []
        assert report.counts["unit_test"] > 80

    kept("unit-tests", (*TREE, *MAKERS, "tests/pipeline/test_run.py"), check)


def test_the_published_file_names_the_key_of_every_table(sample: Settings) -> None:
    drawn = PAGE.read_text(encoding="utf-8")
    keys = {
        name: {line.split()[1] for line in columns.splitlines() if " PK" in line}
        for name, columns in re.findall(r"^ {4}(\w+) \{\n(.+?)^ {4}\}", drawn, BOXES)
    }
    named = query(sample.published, "select name, key_columns from published_tables")[1]
    assert {name: set(str(key).split(", ")) for name, key in named} == keys
    assert all(keys.values())


@pytest.mark.nightly
def test_a_run_that_finds_nothing_new_builds_nothing(grown: Delivery) -> None:
    assert ask(grown, "select count(*) from serving.fct_genome_scores") == 0
    before = grown.settings.published.read_bytes()
    report = grown.run()
    assert report.loaded.load_id is None
    assert report.is_up_to_date
    assert report.built.counts == {}
    assert report.published
    assert report.published.rows == ask(
        grown, "select sum(row_count) from published_tables where kind = 'table'"
    )
    assert grown.settings.published.read_bytes() == before


@pytest.mark.nightly
@pytest.mark.fault("11", "12")
def test_a_run_that_loads_nothing_changes_no_published_row(
    grown: Delivery, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even if it builds everything."""
    before = grown.warehouse / "before.duckdb"
    before.write_bytes(grown.settings.published.read_bytes())
    _show_run(grown.settings, grown.run())
    told = " ".join(capsys.readouterr().out.split())
    up_to_date = "Everything is up to date with the loaded files and with the tree."
    assert f"{up_to_date} {len(PUBLISHED)} tables stay published" in told
    assert "built" not in told
    report = grown.run(everything=True)
    assert report.loaded.load_id is None
    assert report.is_up_to_date
    assert report.built.models > 50
    comparison = tally.published(grown.settings.published, before)
    assert comparison.is_equal
    assert len(comparison.tables) > 10


@pytest.fixture
def built(sample: Settings, desk: Desk, tmp_path: Path) -> Delivery:
    """A copy of the sample's warehouse, for the module's bucket."""
    delivery = replace(desk("built"), warehouse=tmp_path / "built")
    delivery.warehouse.mkdir()
    for file in (sample.database, sample.published):
        shutil.copy(file, delivery.warehouse)
    return delivery


@pytest.mark.nightly
@pytest.mark.fault("12a", "13", "14")
def test_a_replaced_file_ends_like_a_fresh_build(grown: Delivery, desk: Desk) -> None:
    grown.put(BETWEEN)
    grown.load()
    grown.build(*UNTESTED, "--select", "+resource_type:snapshot")
    grown.put({**AFTER, "ratings.csv": csv("ratings", SECOND)})
    entries = {entry.entity: entry for entry in grown.load().entries}
    grown.build(*UNTESTED)
    assert {
        name: (entry.rows_new, entry.rows_removed) for name, entry in entries.items()
    } == {"ratings": (5, 5), "movies": (1, 3), "tags": (1, 2)}
    ratings = grown.rows("select user_id, movie_id, rating from marts.fct_ratings")
    found = {(user, movie): str(rating) for user, movie, rating in ratings}
    assert {key: found.get(key) for key in STORY} == STORY
    assert grown.rows(
        "select movie_id, is_inferred, is_deleted from marts.dim_movies "
        "where is_inferred or is_deleted order by movie_id"
    ) == [(2, False, True), (5, False, True), (99, True, False)]
    assert [title for (title,) in grown.rows(TITLES)] == [
        "Lantern (1994)",
        "Lanterns (1994)",
        "Lantern (1994)",
    ]

    fresh = desk("fresh")
    fresh.load()
    fresh.build(*UNTESTED)
    expected = fresh.state()
    same(grown.state(), expected)

    # The same ratings, shuffled, in seven objects and several loads.
    lines = SECOND[:]
    random.Random(7).shuffle(lines)
    grown.remove("ratings.csv")
    parts = {
        f"ratings/{part % 3}/part-{part}.csv": csv("ratings", lines[part::7])
        for part in range(7)
    }
    for key, body in parts.items():
        grown.put({key: body})
        if key.endswith(("-2.csv", "-6.csv")):
            grown.load()
    grown.build(*UNTESTED)
    same(grown.state(), expected)


@pytest.mark.long
def test_the_last_listing_tells_how_fresh_the_source_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = desk("listed")
    fresh.folder = "listed"
    fresh.put(
        {"movies.csv": csv("movies", MOVIES), "ratings.csv": csv("ratings", RATINGS)}
    )
    fresh.moment = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=7, hours=1)
    fresh.load()
    assert not fresh.is_fresh()
    fresh.moment += timedelta(hours=2)
    # A listing without new data still keeps the source fresh.
    assert fresh.load().load_id is None
    for zone in ("Pacific/Auckland", "America/Los_Angeles"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert fresh.is_fresh()
    monkeypatch.undo()
    time.tzset()


@pytest.mark.fault("12")
@pytest.mark.nightly
def test_another_source_starts_a_fresh_warehouse(
    built: Delivery, sample: Settings
) -> None:
    built.folder = "elsewhere"
    built.put(
        {
            "movies.csv": csv("movies", MOVIES[:2]),
            "ratings.csv": csv("ratings", RATINGS[:5]),
        }
    )
    old = built.settings.published.read_bytes()
    built.settings.report.write_text("charts")
    report = built.run()
    assert [(report.former_source,)] == sources_of(sample)
    assert report.aside
    assert (report.aside / "published.duckdb").read_bytes() == old
    assert (report.aside / "reelhouse.duckdb").exists()
    assert (report.aside / "report.html").read_text() == "charts"
    assert not built.settings.report.exists()
    assert ask(built, "select count(*) from serving.fct_ratings") == 5
    assert ask(built, "select count(*) from serving.publications") == 1
    assert sources_of(built.settings) == [(built.settings.source_name,)]


def sources_of(settings: Settings) -> list[tuple[Any, ...]]:
    """Return the sources that a warehouse was loaded from."""
    with connect(settings.database, read_only=True) as connection:
        return connection.execute("select distinct source from raw.loads").fetchall()


def test_descriptions_are_comments_in_the_database(sample: Settings) -> None:
    """Covers every table and view that dbt makes, and everything published."""
    nodes = [
        node
        for node in manifest_of(sample)["nodes"].values()
        if node["resource_type"] in {"model", "snapshot", "seed"}
        and node["config"]["materialized"] != "ephemeral"
    ]
    described = {
        (node["schema"], node["alias"], column): text.strip()
        for node in nodes
        for column, text in [
            ("", node["description"]),
            *((each["name"], each["description"]) for each in node["columns"].values()),
        ]
    }
    described |= {
        ("serving", *rest): text
        for (schema, *rest), text in described.items()
        if schema == "marts"
    }
    found = {}
    for file in (sample.database, sample.published):
        with connect(file, read_only=True) as connection:
            for schema, table, column, text in connection.execute(
                """
                select schema_name, table_name, '', comment from duckdb_tables()
                union all
                select schema_name, view_name, '', comment from duckdb_views()
                union all
                select schema_name, table_name, column_name, comment
                from duckdb_columns()
                """
            ).fetchall():
                found[schema, table, column] = (text or "").strip()
    assert len(described) > 500
    assert {key: found.get(key) for key in described} == described


def test_keys_of_views_hold_on_all_of_the_sample(sample: Settings) -> None:
    """dbt's tests check only the latest days of these large views."""
    with connect(sample.published, read_only=True) as published:
        views = published.execute(
            "select name, key_columns from serving.published_tables where kind = 'view'"
        ).fetchall()
    assert len(views) == 2
    with connect(sample.database, read_only=True) as warehouse:
        for name, key in views:
            rows, keys = warehouse.execute(
                f"select count(*), count(distinct row({key})) from marts.{name}"
            ).fetchall()[0]
            assert rows == keys >= 28_000, name
