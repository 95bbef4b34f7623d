"""Publishing: whole, typed, tested, and in place by one step."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from reelhouse import backup
from reelhouse.compare import compare
from reelhouse.errors import ReelhouseError
from reelhouse.export import Format, export
from reelhouse.publish import (
    CODE,
    Publication,
    code_of,
    prepare,
    put_in_place,
    standing_in,
)
from reelhouse.query import query
from reelhouse.settings import PROJECT, Settings

PUBLISHED = [
    {"name": "dim_movies", "kind": "table", "key_columns": ["MOVIE_ID", "title"]},
    {"name": "health_loads", "kind": "table", "ignored_columns": ["loaded_at"]},
    {"name": "mart_view", "kind": "view"},
]
WAREHOUSE = """
    create schema raw;
    create table raw.loads (load_id bigint, source varchar, loaded_at timestamp);
    insert into raw.loads values (1, 'here', '2026-01-01');
    create schema staging;
    create table staging.hidden as select 1 as secret;
    create schema marts;
    create table marts.dim_movies (movie_id bigint not null, rating decimal(2,1),
        title varchar, seen_at timestamp);
    insert into marts.dim_movies values
        (1, 4.5, 'The ''quoted'' one', '2026-01-01 12:00:00'), (2, null, null, null);
    comment on table marts.dim_movies is 'One row per movie; it''s small.';
    comment on column marts.dim_movies.title is 'Title, as delivered.';
    create table marts.health_loads (file varchar, loaded_at timestamp);
    create view marts.mart_view as
        select title, count(*) as movies, 'see marts.x' as note
        from "reelhouse"."marts"."dim_movies" group by title;
    comment on view marts.mart_view is 'One row per title.';
    create table marts.left_over as select 1 as one;
    create table marts.builds (invocation_id varchar, started_at timestamp,
        finished_at timestamp, load_id bigint, command varchar, is_complete boolean,
        reason varchar, published varchar, tests bigint, models bigint);
"""

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A function that makes a warehouse whose newest build is as told."""

    def warehouse(
        *,
        is_complete: bool = True,
        reason: str | None = None,
        load_id: int = 1,
        extra: str = "",
    ) -> Path:
        path = tmp_path / "reelhouse.duckdb"
        path.unlink(missing_ok=True)
        with duckdb.connect(str(path)) as connection:
            connection.execute(WAREHOUSE)
            connection.execute(
                "insert into marts.builds values ('first', '2026-01-01', "
                "'2026-01-01', 1, 'build', true, null, '[]', 1, 1), "
                "('newest', '2026-01-02', null, ?, 'build', ?, ?, ?, 1, 1)",
                [load_id, is_complete, reason, json.dumps(PUBLISHED)],
            )
            connection.execute(extra)
        return path

    return warehouse


def publish(database: Path, published: Path) -> None:
    prepared = published.with_name("prepared.duckdb")
    prepare(database, prepared)
    put_in_place(prepared, published)


def test_types_constraints_comments_and_views_survive(
    make: Make, tmp_path: Path
) -> None:
    published = tmp_path / "published.duckdb"
    publish(make(), published)
    with duckdb.connect(str(published), read_only=True) as connection:
        connection.execute("set enable_external_access = false")

        def rows(sql: str) -> list[tuple[object, ...]]:
            return connection.execute(sql).fetchall()

        assert rows("select schema_name, table_name from duckdb_tables() order by 2")[
            :2
        ] == [("serving", "dim_movies"), ("serving", "health_loads")]
        assert rows(
            "select column_name, data_type, is_nullable from duckdb_columns() "
            "where table_name = 'dim_movies' order by column_index"
        ) == [
            ("movie_id", "BIGINT", False),
            ("rating", "DECIMAL(2,1)", True),
            ("title", "VARCHAR", True),
            ("seen_at", "TIMESTAMP", True),
        ]
        assert rows(
            "select comment from duckdb_tables() where table_name = 'dim_movies'"
        ) == [("One row per movie; it's small.",)]
        assert rows(
            "select comment from duckdb_columns() where column_name = 'title' "
            "and table_name = 'dim_movies'"
        ) == [("Title, as delivered.",)]
        assert rows(
            "select comment from duckdb_views() where view_name = 'mart_view'"
        ) == [("One row per title.",)]
        assert rows("from serving.mart_view order by all nulls last")[0] == (
            "The 'quoted' one",
            1,
            "see marts.x",
        )
        assert rows("select version, load_id from serving.publication") == [
            ("newest", 1)
        ]
        assert rows("from serving.published_tables order by name") == [
            ("dim_movies", "table", 2, "", "movie_id, title"),
            ("health_loads", "table", 0, "loaded_at", ""),
            ("mart_view", "view", 2, "", ""),
        ]
        assert not rows(
            "select * from duckdb_tables() where table_name in ('left_over', 'hidden', "
            "'builds', 'loads')"
        )


def test_the_file_is_of_a_version_that_old_readers_open(
    make: Make, tmp_path: Path
) -> None:
    published = tmp_path / "published.duckdb"
    publish(make(), published)
    header = published.read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    # 64 is the storage version of DuckDB 0.9 to 1.1; newer ones read it too.
    assert int.from_bytes(header[12:20], "little") == 64


UNFIT = {
    "failed or partial": (
        {"is_complete": False, "reason": "not run: dim_x"},
        r"does not qualify for publishing \(not run: dim_x\)",
    ),
    "killed": ({"is_complete": False}, "did not come to its end"),
    "a later load": (
        {"extra": "insert into raw.loads values (2, 'here', '2026-01-02')"},
        "Load 2 came after the newest build, which saw load 1",
    ),
    "no build": ({"extra": "delete from marts.builds"}, "Nothing has been built"),
    "no builds table": ({"extra": "drop table marts.builds"}, "Nothing has been built"),
}


@pytest.mark.fault("17")
@pytest.mark.parametrize(("state", "message"), UNFIT.values(), ids=UNFIT)
def test_what_did_not_pass_is_not_published(
    make: Make, tmp_path: Path, state: dict[str, object], message: str
) -> None:
    published = tmp_path / "published.duckdb"
    publish(make(), published)
    before = published.read_bytes()
    with pytest.raises(ReelhouseError, match=message):
        publish(make(**state), published)
    assert published.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "published.duckdb",
        "reelhouse.duckdb",
    ]


def test_a_view_over_unpublished_tables_is_refused(make: Make, tmp_path: Path) -> None:
    leak = (
        "drop view marts.mart_view; create view marts.mart_view as select secret as "
        'title, 1 as movies from "reelhouse"."staging"."hidden"'
    )
    with pytest.raises(ReelhouseError, match="mart_view cannot be published"):
        publish(make(extra=leak), tmp_path / "published.duckdb")


@pytest.mark.fault("16")
def test_readers_are_never_disturbed(make: Make, tmp_path: Path) -> None:
    published = tmp_path / "published.duckdb"
    database = make()
    publish(database, published)
    stop = threading.Event()
    failures: list[BaseException] = []
    reads = 0

    def read() -> None:
        nonlocal reads
        while not stop.is_set():
            try:
                _, rows = query(
                    published,
                    "select (select count(*) from serving.dim_movies), "
                    "(select row_count from serving.published_tables "
                    "where name = 'dim_movies')",
                )
                assert rows[0][0] == rows[0][1]
                reads += 1
            except Exception as error:  # noqa: BLE001
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(10):
        publish(database, published)
    stop.set()
    reader.join()
    assert not failures
    assert reads


@pytest.mark.fault("16")
def test_who_holds_the_old_file_goes_on_reading_it(make: Make, tmp_path: Path) -> None:
    published = tmp_path / "published.duckdb"
    publish(make(), published)
    with duckdb.connect(str(published), read_only=True) as holder:
        publish(make(extra="delete from marts.dim_movies"), published)
        assert holder.execute("select count(*) from serving.dim_movies").fetchall() == [
            (2,)
        ]
    assert query(published, "select count(*) from serving.dim_movies")[1] == [(0,)]


def test_a_question_can_only_read(make: Make, tmp_path: Path) -> None:
    published = tmp_path / "published.duckdb"
    publish(make(), published)
    for question in (
        "delete from serving.dim_movies",
        "create table serving.mine as select 1",
        f"copy serving.dim_movies to '{tmp_path}/out.csv'",
        f"attach '{tmp_path}/reelhouse.duckdb' as other",
        f"select * from read_csv('{__file__}')",
        "set enable_external_access = true",
        "select 1; select 2",
        "selec 1",
        "select * from nowhere",
        "",
    ):
        with pytest.raises(ReelhouseError):
            query(published, question)
    assert not (tmp_path / "out.csv").exists()


def test_rows_that_did_not_all_arrive_are_not_published(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelhouse.publish._count", lambda *_: 7)
    with pytest.raises(ReelhouseError, match="has 7 rows, but 2 were copied: nothing"):
        prepare(make(), tmp_path / "published.duckdb")
    assert not (tmp_path / "published.duckdb").exists()


def test_a_question_before_the_first_publish(tmp_path: Path) -> None:
    with pytest.raises(ReelhouseError, match="nothing has been published yet"):
        query(tmp_path / "published.duckdb", "select 1")


HOSTILE = "o'x\"; drop schema marts cascade; --"


@pytest.mark.fault("18")
def test_any_name_of_a_folder_a_table_or_a_column_is_data(
    make: Make, tmp_path: Path
) -> None:
    odd = '"' + HOSTILE.replace('"', '""') + '"'
    published_too = json.dumps([*PUBLISHED, {"name": HOSTILE, "kind": "table"}])
    database = make(
        extra=f"create table marts.{odd} as select 1 as {odd}, '=1' as text; "
        f"comment on column marts.{odd}.{odd} is 'odd'; "
        f"update marts.builds set published = $${published_too}$$"
    )
    folder = tmp_path / HOSTILE
    folder.mkdir()
    database = database.rename(folder / database.name)
    before = database.read_bytes()
    settings = Settings("data/sample", folder, "dev", None, 1.0, None)
    publish(database, settings.published)
    assert query(settings.published, f"from serving.{odd}")[0] == [HOSTILE, "text"]
    other = shutil.copy(settings.published, folder / f"{HOSTILE}.duckdb")
    tables = compare(settings.published, Path(other)).tables
    assert HOSTILE in [table.name for table in tables if table.is_equal]
    forms: tuple[Format, ...] = ("parquet", "csv")
    for form in forms:
        made = export(settings, folder / f"{HOSTILE}.{form}", form)
        assert HOSTILE in [table.name for table in made.tables]
        assert (made.folder / f"{HOSTILE}.{form}").exists()
    backup.write(database, settings.backup)
    assert database.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {HOSTILE}


@pytest.mark.parametrize(
    ("built", "published", "does_stand"),
    [
        ("", "", True),
        ("", "update serving.publication set code = null", False),
        ("", "update serving.publication set code = 'other'", False),
        ("", "update serving.publication set version = 'first'", False),
        ("", "alter table serving.publication drop column code", False),
        ("", "drop table serving.publication", False),
        ("insert into raw.loads values (2, 'here', '2026-01-02')", "", False),
        ("update marts.builds set is_complete = false", "", False),
        (
            "insert into marts.builds select 'later', '2026-01-03', finished_at, "
            "load_id, command, is_complete, reason, published, tests, models "
            "from marts.builds where invocation_id = 'newest'",
            "",
            False,
        ),
    ],
)
def test_what_is_published_stands_until_something_is_new(
    make: Make, tmp_path: Path, built: str, published: str, does_stand: bool
) -> None:
    warehouse, file = make(), tmp_path / "published.duckdb"
    made = prepare(warehouse, file, code="this")
    for path, change in ((warehouse, built), (file, published)):
        with duckdb.connect(str(path)) as connection:
            connection.execute(change)
    found = standing_in(warehouse, file, "this")
    assert found == (made if does_stand else None)
    assert made == Publication("newest", 1, 3, made.rows)


def test_a_published_file_that_is_gone_or_damaged_does_not_stand(
    make: Make, tmp_path: Path
) -> None:
    warehouse, file = make(), tmp_path / "published.duckdb"
    prepare(warehouse, file, code="this")
    assert standing_in(warehouse, file, "this")
    file.write_bytes(file.read_bytes()[: 4096 * 3 - 1])
    assert standing_in(warehouse, file, "this") is None
    file.unlink()
    assert standing_in(warehouse, file, "this") is None


def test_a_change_of_any_file_of_the_code_is_another_code(tmp_path: Path) -> None:
    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return code_of(tmp_path)

    assert all(any(PROJECT.glob(each)) for each in CODE)
    names = [
        "dbt_project.yml",
        "locks/run.txt",
        "macros/cross_db/split_rows.sql",
        "models/marts/core/dim_movies.sql",
        "models/marts/core/dim_movies.yml",
        "profiles.yml",
        "scripts/reelhouse/publish.py",
        "seeds/genres.csv",
        "snapshots/snap_tags.sql",
        "tests/data_tests/health/assert_load_counts_add_up.sql",
    ]
    codes = {write(name, "a") for name in names} | {write(name, "b") for name in names}
    assert len(codes) == 2 * len(names)
    before = code_of(tmp_path)
    assert write("README.md", "words") == before
    (tmp_path / "models/marts/core/dim_movies.sql").rename(tmp_path / "models/dim.sql")
    assert code_of(tmp_path) not in codes
