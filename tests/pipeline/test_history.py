"""History: each change has the time of its load, also after failures and rebuilds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.delivery import UNTESTED, Delivery, csv
from tests.story import small
from tests.tree import EditedTree

from reelhouse.engines.duckdb import backup
from reelhouse.errors import ReelhouseError
from reelhouse.s3 import S3Settings, upload
from reelhouse.serving.compare import compare

__all__ = ["small"]

START = datetime(2026, 1, 1)
FIRST = {
    1: "Lantern (1994),Drama",
    2: "Harbour (1999),War",
    3: "Salt (2001),Comedy",
    4: "Stays (2002),Crime",
}
RATINGS = ["1,1,4.0,1000000000", "1,2,3.0,1000000001", "2,4,2.0,1000000002"]
# Twenty good ratings of movie 1, from the third load on, make it a rising star.
STARS = [f"{user},1,4.5,1000000003" for user in range(3, 23)]
# The changes in the second and each later load; None removes a movie.
DELIVERIES: list[dict[int, str | None]] = [
    {1: "Lanterns (1994),Drama", 2: None},
    {1: "Lantern (1994),Drama", 3: None},
    {1: "Lantern (1994),Drama|War", 2: "Harbour (1999),War", 5: " New  (2003) ,War"},
]
TAGS = [
    ["1,1,Quiet,1100000000", "1,2,Loud,1100000000"],
    ["1,1,quiet,1100000009"],
    ["1,1,quiet,1100000009"],
    ["1,1,quiet,1100000009", "1,2,Loud,1100000000"],
]
# `make test` covers a part of this in test_state.py.
pytestmark = pytest.mark.long

# The snapshots and everything that they read, without tests.
SNAPSHOTS = (
    *("--select", "+resource_type:snapshot"),
    *UNTESTED,
)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def deliveries() -> Iterator[dict[str, bytes]]:
    """Yield the files of each delivery."""
    movies: dict[int, str | None] = dict(FIRST)
    for number, changes in enumerate([{}, *DELIVERIES]):
        movies |= changes
        lines = [f"{key},{text}" for key, text in movies.items() if text]
        yield {
            "movies.csv": csv("movies", lines),
            "ratings.csv": csv("ratings", RATINGS + (STARS if number > 1 else [])),
            "tags.csv": csv("tags", TAGS[number]),
        }


@pytest.fixture(scope="module", autouse=True)
def tree(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use a small tree with the snapshots and what they read as the project."""
    with pytest.MonkeyPatch.context() as patch:
        tree = EditedTree(tmp_path_factory.mktemp("tree"), patch, small)
        yield
        tree.read_again()


@pytest.fixture(scope="module")
def told(s3_server: S3Settings, tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """A warehouse after four loads, each followed by a build."""
    upload(s3_server, [], "s3://history-bucket")
    delivery = Delivery(
        s3_server, "history-bucket", tmp_path_factory.mktemp("history") / "warehouse"
    )
    for number, files in enumerate(deliveries()):
        delivery.moment = day(number)
        delivery.put(files).load()
        assert not delivery.build(*SNAPSHOTS, "--select", "+dim_movies").failures
    return delivery


def history(delivery: Delivery, movie: int) -> list[tuple[Any, ...]]:
    return delivery.rows(
        "select title, genres, valid_from, valid_to, is_deleted, previous_title "
        f"from marts.dim_movies_history where movie_id = {movie} "
        f"order by version_number"
    )


FOREVER = datetime(1900, 1, 1)


@pytest.mark.fault("13", "14")
def test_each_movie_has_its_story(told: Delivery) -> None:
    a, b = "Lantern (1994)", "Lanterns (1994)"
    assert history(told, 1) == [
        (a, "Drama", FOREVER, day(1), False, None),
        (b, "Drama", day(1), day(2), False, a),
        (a, "Drama", day(2), day(3), False, b),
        (a, "Drama|War", day(3), None, False, b),
    ]
    harbour = "Harbour (1999)"
    assert history(told, 2) == [
        (harbour, "War", FOREVER, day(1), False, None),
        (harbour, "War", day(1), day(3), True, None),
        (harbour, "War", day(3), None, False, None),
    ]
    assert history(told, 3) == [
        ("Salt (2001)", "Comedy", FOREVER, day(2), False, None),
        ("Salt (2001)", "Comedy", day(2), None, True, None),
    ]
    assert history(told, 4) == [("Stays (2002)", "Crime", FOREVER, None, False, None)]
    # Movie 5 did not exist before its load.
    assert history(told, 5) == [("New  (2003)", "War", day(3), None, False, None)]


def test_the_dimension_shows_the_last_version(told: Delivery) -> None:
    assert told.rows(
        "select movie_id, title, release_year, previous_title, is_deleted, is_inferred "
        "from marts.dim_movies order by movie_id"
    ) == [
        (1, "Lantern (1994)", 1994, "Lanterns (1994)", False, False),
        (2, "Harbour (1999)", 1999, None, False, False),
        (3, "Salt (2001)", 2001, None, True, False),
        (4, "Stays (2002)", 2002, None, False, False),
        (5, "New  (2003)", 2003, None, False, False),
    ]


def snapshots(delivery: Delivery) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of every snapshot, without dbt's key and update time."""
    names = delivery.rows(
        "select table_name from duckdb_tables() where schema_name = 'snapshots'"
    )
    return {
        name: delivery.rows(
            "select * exclude (dbt_scd_id, dbt_updated_at) "
            f"from snapshots.{name} order by all"
        )
        for (name,) in names
    }


@pytest.mark.fault("14")
def test_a_removed_and_a_retyped_tag_are_recorded(told: Delivery) -> None:
    assert told.rows(
        "select user_id, movie_id, tag, dbt_valid_from, dbt_valid_to, dbt_is_deleted "
        "from snapshots.snap_tags order by all"
    ) == [
        (1, 1, "Quiet", day(0), day(1), "False"),
        (1, 1, "quiet", day(1), None, "False"),
        (1, 2, "Loud", day(0), day(1), "False"),
        (1, 2, "Loud", day(1), day(3), "True"),
        (1, 2, "Loud", day(3), None, "False"),
    ]


@pytest.mark.fault("14")
def test_a_category_changes_with_the_load_that_changed_it(told: Delivery) -> None:
    assert told.rows(
        "select movie_id, recommendation_category, dbt_valid_from, dbt_valid_to, "
        "dbt_is_deleted from snapshots.snap_recommendations "
        "where movie_id in (1, 2) order by movie_id, dbt_valid_from"
    ) == [
        (1, "unclassified", day(0), day(2), "False"),
        (1, "rising_star", day(2), None, "False"),
        (2, "unclassified", day(0), day(1), "False"),
        (2, "unclassified", day(1), day(3), "True"),
        (2, "unclassified", day(3), None, "False"),
    ]


# A rule of titles and one of categories: the file, the old text and the new text.
RULES = [
    (
        "models/intermediate/movies/int_movies_deduplicated.sql",
        "{{ trim_white('title') }} as title",
        "upper({{ trim_white('title') }}) as title",
    ),
    ("seeds/recommendation_categories.csv", "rising_star,20,", "rising_star,22,"),
]


@pytest.mark.nightly
def test_a_rule_that_changes_between_two_loads_makes_versions(
    told: Delivery, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = replace(told, warehouse=tmp_path / "copy", looking=None)
    told.close()
    shutil.copytree(told.warehouse, tmp_path / "copy")
    tree = EditedTree(tmp_path, monkeypatch, small)
    for name, before, after in RULES:
        tree.replace(name, before, after)
    histories = ("+dim_movies", "+fct_tags_history", "+mart_recommendation_history")
    build = (*SNAPSHOTS, "--select", *histories)
    assert not copy.build(*build).failures
    for name, before, after in RULES:
        tree.replace(name, after, before)
    # The first build follows the restored rules, the second finds no change.
    assert not copy.build(*build).failures
    assert not copy.build(*build).failures
    a, upper = "Lantern (1994)", "LANTERN (1994)"
    first, second = (day(3) + timedelta(microseconds=number) for number in (1, 2))
    assert history(copy, 1)[-3:] == [
        (a, "Drama|War", day(3), first, False, "Lanterns (1994)"),
        (upper, "Drama|War", first, second, False, a),
        (a, "Drama|War", second, None, False, upper),
    ]
    assert copy.rows(
        "select recommendation_category, dbt_valid_from, dbt_valid_to "
        "from snapshots.snap_recommendations where movie_id = 1 "
        "order by dbt_valid_from"
    )[-3:] == [
        ("rising_star", day(2), first),
        ("unclassified", first, second),
        ("rising_star", second, None),
    ]
    for name in snapshots(copy):
        assert copy.rows(
            "select count(*) = count(distinct dbt_scd_id), "
            f"bool_and(dbt_valid_to > dbt_valid_from) from snapshots.{name}"
        ) == [(True, True)]
    assert not copy.build("--select", "assert_history_*", command="test").failures
    copy.close()


@pytest.mark.nightly
def test_the_classic_order_works_from_the_first_load_on(
    told: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uses the whole tree; test_ledger.py does the same with a small one."""
    monkeypatch.delenv("REELHOUSE_PROJECT_DIR")
    classic = replace(told, warehouse=tmp_path / "classic", looking=None)
    for movies in (FIRST, FIRST | {6: "Late (2004),War"}):
        lines = [f"{key},{text}" for key, text in movies.items()]
        classic.folder = "classic"
        classic.put(
            {
                "movies.csv": csv("movies", lines),
                "ratings.csv": csv("ratings", [*RATINGS, "3,6,3.0,1000000009"]),
                "tags.csv": csv("tags", TAGS[0]),
            }
        )
        classic.load()
        for command in ("seed", "run", "snapshot", "test"):
            assert not classic.build(command=command).failures, command
        ((is_inferred,),) = classic.rows(
            "select is_inferred from marts.dim_movies where movie_id = 6"
        )
        assert is_inferred == (6 not in movies)
    classic.close()


@pytest.mark.nightly
def test_a_rebuild_records_and_publishes_the_same_history(
    told: Delivery, tmp_path: Path
) -> None:
    recorded = snapshots(told)
    assert len(recorded) == 3
    told.close()
    shutil.copytree(told.warehouse, tmp_path / "copy")
    copy = replace(told, warehouse=tmp_path / "copy", looking=None)
    assert copy.run(rebuild=True).loaded.load_id is None
    assert snapshots(copy) == recorded
    assert [history(copy, movie) for movie in FIRST] == [
        history(told, movie) for movie in FIRST
    ]
    copy.close()


@pytest.mark.nightly
def test_deliveries_that_came_together_make_the_same_history(
    told: Delivery, s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    desk = Delivery(s3_server, bucket, tmp_path, moment=day(0))
    for number, files in enumerate(deliveries()):
        folder = f"{day(number):%Y-%m-%d}/" if number else ""
        desk.put({folder + name: body for name, body in files.items()})
    report = desk.run()
    assert [each.load_id for each in report.loads] == [1, 2, 3, 4]
    days = {day(0) + timedelta(seconds=number): day(number) for number in range(4)}
    assert {
        name: sorted((tuple(days.get(v, v) for v in row) for row in rows), key=repr)
        for name, rows in snapshots(desk).items()
    } == {name: sorted(rows, key=repr) for name, rows in snapshots(told).items()}
    assert [each.load_id for each in desk.run().loads] == [None]
    desk.close()


def test_history_survives_a_full_refresh(told: Delivery) -> None:
    recorded = snapshots(told)
    told.build("--full-refresh", *SNAPSHOTS)
    assert snapshots(told) == recorded


@pytest.mark.nightly
@pytest.mark.fault("20")
@pytest.mark.fault("20")
def test_an_unreadable_warehouse_is_put_aside_and_made_anew(
    told: Delivery, tmp_path: Path
) -> None:
    copy = replace(told, warehouse=tmp_path / "copy", looking=None)
    copy.warehouse.mkdir()
    copy.settings.database.write_bytes(b"no database " * 1000)
    report = copy.run(rebuild=True)
    assert report.aside
    assert (report.aside / "reelhouse.duckdb").read_bytes() == b"no database " * 1000
    assert history(copy, 4) == history(told, 4)


@pytest.mark.nightly
@pytest.mark.fault("20")
def test_a_lost_warehouse_comes_back_from_its_backup(
    told: Delivery, tmp_path: Path
) -> None:
    copy = replace(told, warehouse=tmp_path / "copy", looking=None)
    told.close()
    shutil.copytree(told.warehouse, tmp_path / "copy")
    assert "backup" in copy.run().seconds
    recorded, published = contents(copy), copy.settings.published.read_bytes()
    (tmp_path / "before.duckdb").write_bytes(published)
    copy.close()

    copy.settings.database.write_bytes(b"no database " * 1000)
    with pytest.raises(ReelhouseError, match=r"not a DuckDB database.*run --rebuild"):
        copy.run()
    assert copy.settings.published.read_bytes() == published
    report = copy.run(rebuild=True)
    assert report.aside
    assert {path.name for path in report.aside.iterdir()} == {
        *("published.duckdb", "reelhouse.duckdb"),
    }
    for loss in ("damaged", "gone"):
        assert report.recovery, loss
        assert (report.recovery.raw, report.recovery.history) == ("backup", "backup")
        assert report.loaded.load_id is None
        assert contents(copy) == recorded
        copy.close()
        again = compare(tmp_path / "before.duckdb", copy.settings.published)
        assert again.is_equal
        if loss == "damaged":
            copy.settings.database.unlink()
            report = copy.run()


@pytest.mark.nightly
@pytest.mark.fault("20")
def test_a_backup_of_another_warehouse_is_put_aside(
    told: Delivery, tmp_path: Path
) -> None:
    copy = replace(told, warehouse=tmp_path / "copy", looking=None, moment=day(9))
    told.close()
    shutil.copytree(told.warehouse, tmp_path / "copy")
    backup.commit(
        backup.write(copy.settings.database, copy.settings.backup), copy.settings.backup
    )
    kept = {path.name: path.read_bytes() for path in copy.settings.backup.iterdir()}
    copy.settings.database.unlink()
    copy.load()
    report = copy.run()
    assert report.aside
    aside = report.aside / "backup"
    assert {path.name: path.read_bytes() for path in aside.iterdir()} == kept


def contents(delivery: Delivery) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the raw and snapshot tables."""
    names = delivery.rows(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where schema_name in ('raw', 'snapshots')"
    )
    return {
        name: delivery.rows(f"from {name} order by all") for (name,) in sorted(names)
    }
