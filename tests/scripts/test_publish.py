"""Publishing: complete, typed, tested, and replaced in one step."""

from __future__ import annotations

import errno
import hashlib
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import duckdb
import pytest
from tests.delivery import query, unbuilt

from reelhouse.engines.duckdb import backup, engine
from reelhouse.engines.duckdb.connection import asking, connect
from reelhouse.engines.duckdb.publish import is_as_written, prepare, show
from reelhouse.engines.publication import Build, Publication, Relation, up_to_date
from reelhouse.errors import ReelhouseError
from reelhouse.serving.compare import compare
from reelhouse.serving.export import Format, export
from reelhouse.serving.query import ask
from reelhouse.settings import Settings

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
    comment on column marts.mart_view.note is 'It''s a note.';
    create table marts.left_over as select 1 as one;
"""

Make = Callable[..., Path]


def warehouse(path: Path, extra: str = "") -> Path:
    """Make a small warehouse, and run extra statements in it."""
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute(WAREHOUSE)
        connection.execute(extra)
    return path


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A function that makes a small warehouse and runs extra statements in it."""
    return lambda extra="": warehouse(tmp_path / "reelhouse.duckdb", extra)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a warehouse and its published file, to be copied."""
    folder = tmp_path_factory.mktemp("first")
    publish(warehouse(folder / "reelhouse.duckdb"), folder / "published.duckdb")
    return folder


BUILD = Build(
    1,
    3,
    4,
    [
        Relation("mart_view", "view", "view 1", (), ("title",)),
        Relation("dim_movies", "table", "movies 1", (), ("movie_id", "title")),
        Relation("health_loads", "table", "loads 1", ("loaded_at",), ()),
    ],
)


OF_PUBLISHING = ("publication", "publications", "published_tables")


def changed(*names: str, build: Build = BUILD) -> Build:
    """Return a build that has replaced some relations."""
    return replace(
        build,
        relations=[
            replace(each, version=f"{each.version} again")
            if each.name in names
            else each
            for each in build.relations
        ],
    )


def publish(database: Path, published: Path, build: Build = BUILD) -> Publication:
    prepared = published.with_name(f".{published.name}")
    publication = prepare(database, published, prepared, build)
    show(prepared, published)
    return publication


def seal(file: Path) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    file.with_suffix(".sha256").write_text(f"{digest}  {file.name}\n")


def told(file: Path, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements on a file, which may change it; return the rows of the last."""
    with duckdb.connect(str(file)) as connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
    if file.with_suffix(".sha256").exists():
        seal(file)
    return rows


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
        assert rows("select load_id, tests, models from serving.publication") == [
            (1, 3, 4)
        ]
        assert rows("from serving.published_tables order by name") == [
            ("dim_movies", "table", 2, "", "movie_id, title", "movies 1"),
            ("health_loads", "table", 0, "loaded_at", "", "loads 1"),
            ("mart_view", "view", 2, "", "title", "view 1"),
        ]
        assert not rows(
            "select * from duckdb_tables() where table_name in ('left_over', 'hidden', "
            "'builds', 'loads')"
        )


def test_the_file_is_of_a_version_that_old_readers_open(
    make: Make, tmp_path: Path
) -> None:
    published = tmp_path / "published.duckdb"
    for build in (BUILD, changed("health_loads")):
        publish(make(), published, build)
        header = published.read_bytes()[:20]
        assert header[8:12] == b"DUCK"
        # 64 is the storage version of DuckDB 0.9 to 1.1; newer ones read it too.
        assert int.from_bytes(header[12:20], "little") == 64


MARK = "update serving.dim_movies set title = 'mark'"
MARKED = "select count(*) from serving.dim_movies where title = 'mark'"


def test_only_what_has_another_version_is_written_again(
    make: Make, tmp_path: Path
) -> None:
    published = tmp_path / "published.duckdb"
    first = publish(make(), published)
    told(published, MARK)
    second = publish(make(), published, changed("health_loads"))
    assert told(published, MARKED) == [(2,)]
    assert second == replace(first, version=second.version)
    assert second.version != first.version
    assert told(published, "select version from serving.publication") == [
        (second.version,)
    ]
    assert told(published, "select version from serving.published_tables") == [
        ("movies 1",),
        ("loads 1 again",),
        ("view 1",),
    ]
    again = changed("dim_movies", build=changed("health_loads"))
    publish(make(), published, again)
    assert told(published, MARKED) == [(0,)]


@pytest.mark.long
@pytest.mark.parametrize(
    "change",
    [
        "drop table serving.dim_movies",
        "drop table serving.dim_movies; create view serving.dim_movies as select "
        "1::bigint as movie_id, 2.5::decimal(2,1) as rating, '' as title, "
        "now()::timestamp as seen_at from range(2)",
        "alter table serving.dim_movies add column more bigint",
        "alter table serving.dim_movies drop column seen_at",
        "alter table serving.dim_movies rename column seen_at to last_seen_at",
        "alter table serving.dim_movies alter rating type decimal(3,1)",
        "insert into serving.dim_movies values (3, null, 'mark', null)",
        "delete from serving.dim_movies where movie_id = 1",
        "update serving.published_tables set version = null where name = 'dim_movies'",
        "update serving.published_tables set kind = 'view' where name = 'dim_movies'",
        "delete from serving.published_tables where name = 'dim_movies'",
    ],
)
def test_what_is_not_there_as_it_is_said_to_be_is_written_again(
    first: Path, tmp_path: Path, change: str
) -> None:
    published = Path(shutil.copy(first / "published.duckdb", tmp_path))
    told(published, MARK, change, "create schema kept")
    seal(published)
    publish(first / "reelhouse.duckdb", published)
    columns = (
        "select column_name, data_type, is_nullable from duckdb_columns() "
        "where table_name = 'dim_movies' order by column_index"
    )
    for question in (columns, "from serving.dim_movies", "from serving.mart_view"):
        assert told(published, question) == told(first / published.name, question)
    assert told(published, "from duckdb_schemas() where schema_name = 'kept'")


@pytest.mark.long
def test_a_view_is_made_anew_with_what_it_reads(make: Make, tmp_path: Path) -> None:
    published = tmp_path / "published.duckdb"
    publish(make(), published)
    mark = (
        "create or replace view serving.mart_view as "
        "select 'mark' as title, 1::bigint as movies, '' as note"
    )
    rows = "select row_count from serving.published_tables where name = 'mart_view'"
    for build, does_stay in (
        (changed("health_loads"), True),
        (changed("health_loads", "mart_view"), False),
        (changed("health_loads", "dim_movies", "mart_view"), False),
    ):
        told(published, mark)
        publish(make(extra="delete from marts.dim_movies"), published, build)
        has_mark = told(published, "from serving.mart_view where title = 'mark'")
        assert bool(has_mark) == does_stay
    # It is counted again, since it reads a table that has changed.
    assert told(published, rows) == [(0,)]


@pytest.mark.long
def test_how_long_each_run_took_is_kept(make: Make, tmp_path: Path) -> None:
    """Even if all else is rewritten, but not from a file of an older version."""
    published = tmp_path / "published.duckdb"
    kept = "select load_seconds, build_seconds, seconds > 90 from serving.publications"
    kept += " order by published_at, seconds"
    alone = replace(BUILD, started=time.monotonic())
    publish(make(), published, alone)
    told(published, "update serving.publications set published_at = '2026-01-01'")
    steps = {"load": 1.5, "parse": 1, "history": 2, "build": 3}
    run = replace(BUILD, seconds=steps, started=time.monotonic() - 100)
    publish(make(), published, replace(changed("dim_movies", build=run), load_id=2))
    expected = [(None, None, False), (1.5, 5.0, True)]
    assert told(published, kept) == expected
    told(published, "drop table serving.published_tables")
    publish(make(), published, replace(run, started=time.monotonic() - 200))
    assert told(published, kept) == [*expected, (1.5, 5.0, True)]
    told(published, "alter table serving.publications drop column load_seconds")
    publish(make(), published, alone)
    assert told(published, kept) == [(None, None, False)]


def test_what_is_no_longer_wanted_goes(make: Make, tmp_path: Path) -> None:
    published = tmp_path / "published.duckdb"
    publish(make(), published)
    told(published, MARK)
    publish(make(), published, replace(BUILD, relations=BUILD.relations[1:2]))
    assert told(published, MARKED) == [(2,)]
    assert told(
        published,
        "select table_name from duckdb_columns() "
        "where schema_name = 'serving' group by all order by all",
    ) == [(each,) for each in ("dim_movies", *OF_PUBLISHING)]


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "build"),
    [
        ("alter table serving.published_tables drop column version", BUILD),
        ("alter table serving.published_tables add column more bigint", BUILD),
        ("drop table serving.published_tables", BUILD),
        ("drop table serving.publication", BUILD),
        ("drop table serving.publications", BUILD),
        ("drop schema serving cascade", BUILD),
        ("select 1", changed("dim_movies", "health_loads")),
    ],
)
def test_a_file_of_which_nothing_can_stay_is_written_anew(
    make: Make, tmp_path: Path, change: str, build: Build
) -> None:
    published = tmp_path / "published.duckdb"
    publish(make(), published)
    told(published, "create schema kept", change)
    publish(make(), published, build)
    assert not told(published, "from duckdb_schemas() where schema_name = 'kept'")
    assert told(published, "select count(*) from serving.dim_movies") == [(2,)]


def test_a_file_of_another_storage_version_is_written_anew(
    make: Make, tmp_path: Path
) -> None:
    published, newer = tmp_path / "published.duckdb", tmp_path / "newer.duckdb"
    publish(make(), published)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{published}' as one")
        connection.execute(f"attach '{newer}' as other (storage_version 'v1.2.0')")
        connection.execute("copy from database one to other")
    newer.replace(published)
    told(published, MARK)
    publish(make(), published)
    assert int.from_bytes(published.read_bytes()[12:20], "little") == 64
    assert told(published, MARKED) == [(0,)]


LARGE = "insert into marts.dim_movies select range, 1, uuid(), null from range({})"


@pytest.mark.long
@pytest.mark.parametrize("fault", ["cut short", "a block"])
def test_damage_is_not_copied(make: Make, tmp_path: Path, fault: str) -> None:
    """Also not in a table that would stay, and whose rows no query has read."""
    published = tmp_path / "published.duckdb"
    warehouse = make(extra=LARGE.format(50_000))
    publish(warehouse, published)
    content = published.read_bytes()
    if fault == "cut short":
        published.write_bytes(content[: 4096 * 3 - 1])
    else:
        middle = len(content) // 2
        harmed = bytes(255 - byte for byte in content[middle : middle + 64])
        published.write_bytes(content[:middle] + harmed + content[middle + 64 :])
        with pytest.raises(duckdb.Error, match="Corrupt"):
            told(published, "select max(title) from serving.dim_movies")
    publish(warehouse, published, changed("health_loads"))
    titles = "select count(*), max(title) from {}.dim_movies"
    assert told(published, titles.format("serving")) == told(
        warehouse, titles.format("marts")
    )


@pytest.mark.long
def test_what_is_replaced_is_written_where_it_was(make: Make, tmp_path: Path) -> None:
    published = tmp_path / "published.duckdb"
    build = BUILD
    sizes = []
    for _ in range(3):
        build = changed("dim_movies", build=build)
        publish(make(extra=LARGE.format(200_000)), published, build)
        sizes.append(published.stat().st_size)
    assert max(sizes) < 1.5 * sizes[0]


def test_a_file_that_is_mostly_free_space_is_written_anew(
    make: Make, tmp_path: Path
) -> None:
    published = tmp_path / "published.duckdb"
    publish(make(), published)
    told(
        published,
        "create schema kept",
        "create table kept.large as select uuid() as id from range(200_000)",
        "checkpoint",
        "create table kept.last as select uuid() as id from range(1000)",
        "checkpoint",
        "drop table kept.large",
        "checkpoint",
    )
    assert told(
        published, "select free_blocks > used_blocks from pragma_database_size()"
    ) == [(True,)]
    publish(make(), published, changed("health_loads"))
    assert not told(published, "from duckdb_schemas() where schema_name = 'kept'")


@pytest.mark.parametrize(
    "name", ["shutil.copyfile", "reelhouse.engines.duckdb.publish._make_view"]
)
def test_a_publish_that_comes_to_nothing_leaves_what_was_there(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    published = tmp_path / "published.duckdb"
    publish(make(), published)
    before = published.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(name, full)
    with pytest.raises(OSError, match="No space left"):
        publish(make(), published, changed("mart_view"))
    assert published.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {
        *("published.duckdb", "published.sha256", "reelhouse.duckdb")
    }


@pytest.mark.fault("26")
def test_what_has_another_byte_is_made_anew(make: Make, tmp_path: Path) -> None:
    published = tmp_path / "published.duckdb"
    publish(make(), published)
    told(published, MARK)
    ran = subprocess.run(
        ["sha256sum", "--check", "published.sha256"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert ran.stdout == b"published.duckdb: OK\n"
    assert is_as_written(published)
    content = bytearray(published.read_bytes())
    content[len(content) // 2] ^= 1
    published.write_bytes(content)
    assert not is_as_written(published)
    publish(make(), published, changed("health_loads"))
    assert is_as_written(published)
    assert told(published, MARKED) == [(0,)]


def test_what_a_killed_publish_left_does_no_harm(make: Make, tmp_path: Path) -> None:
    published, prepared = tmp_path / "published.duckdb", tmp_path / ".published.duckdb"
    publish(make(), published)
    with duckdb.connect() as connection:
        connection.execute("set checkpoint_threshold = '1TB'")
        connection.execute(f"attach '{prepared}' as prepared")
        connection.execute("create table prepared.half as select 1 as one")
        log = prepared.with_name(prepared.name + ".wal")
        kept = log.read_bytes()
    prepared.write_bytes(b"half of a file")
    log.write_bytes(kept)
    publish(make(), published, changed("health_loads"))
    assert not log.exists()
    assert told(published, "select count(*) from serving.dim_movies") == [(2,)]


@pytest.mark.long
def test_a_view_over_what_is_not_published_comes_with_its_rows(
    make: Make, tmp_path: Path
) -> None:
    """A view that reads it stays a view, because it is published as a table."""
    published = tmp_path / "published.duckdb"
    over = (
        "create or replace view marts.mart_view as select secret as title, "
        "1::decimal(3,1) as movies, 'it''s' as note from reelhouse.staging.hidden; "
        "comment on view marts.mart_view is 'One row per title.'; "
        "comment on column marts.mart_view.note is 'It''s a note.'; "
        "create view marts.upon (t, n) as select title, note "
        "from marts.mart_view, marts.health_loads"
    )
    build = replace(
        BUILD,
        relations=[Relation("upon", "view", "upon 1", (), ()), *BUILD.relations],
    )
    for each in (build, changed("dim_movies", build=build)):
        publish(make(extra=over), published, each)
        assert told(published, "from serving.mart_view") == [(1, 1, "it's")]
        assert told(
            published,
            "select column_name, data_type, duckdb_columns.comment, "
            "duckdb_tables.comment from duckdb_columns() join duckdb_tables() "
            "using (table_name) where table_name = 'mart_view' order by column_index",
        ) == [
            ("title", "INTEGER", None, "One row per title."),
            ("movies", "DECIMAL(3,1)", None, "One row per title."),
            ("note", "VARCHAR", "It's a note.", "One row per title."),
        ]
        assert told(
            published,
            "select name, kind, row_count from serving.published_tables "
            "where name in ('upon', 'mart_view') order by name",
        ) == [("mart_view", "table", 1), ("upon", "view", 0)]
        assert told(published, "select t, n from serving.upon") == []


@pytest.mark.long
def test_a_table_that_becomes_a_view_is_published_as_one(
    make: Make, tmp_path: Path
) -> None:
    """And the other way round, even if the version has not changed."""
    published = tmp_path / "published.duckdb"
    rest = replace(BUILD, relations=[*BUILD.relations[:1], *BUILD.relations[2:]])
    for build, kind in ((BUILD, "view"), (rest, "table"), (BUILD, "view")):
        publish(make(), published, build)
        assert told(
            published,
            "select kind, row_count from serving.published_tables "
            "where name = 'mart_view'",
        ) == [(kind, 2)]
        assert len(told(published, "from serving.mart_view")) == 2


def test_a_view_that_only_the_warehouse_understands_is_refused(
    make: Make, tmp_path: Path
) -> None:
    own = (
        "create macro marts.own(x) as x + 1; create or replace view marts.mart_view "
        "as select marts.own(movie_id) as title from marts.dim_movies"
    )
    with pytest.raises(ReelhouseError, match="mart_view cannot be published"):
        publish(make(extra=own), tmp_path / "published.duckdb")
    assert [path.name for path in tmp_path.iterdir()] == ["reelhouse.duckdb"]


@pytest.mark.long
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
    for number in range(4):
        publish(database, published, changed("dim_movies") if number % 2 else BUILD)
    stop.set()
    reader.join()
    assert not failures
    assert reads


@pytest.mark.fault("16")
def test_who_holds_the_old_file_goes_on_reading_it(make: Make, tmp_path: Path) -> None:
    published = tmp_path / "published.duckdb"
    publish(make(), published)
    with duckdb.connect(str(published), read_only=True) as holder:
        later = make(extra="delete from marts.dim_movies")
        publish(later, published, changed("dim_movies"))
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
            ask(replace(unbuilt(), warehouse=tmp_path), question)
    assert not (tmp_path / "out.csv").exists()


def test_rows_that_did_not_all_arrive_are_not_published(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelhouse.engines.duckdb.publish._count", lambda *_: 7)
    with pytest.raises(ReelhouseError, match="has 7 rows, but 2 were copied: nothing"):
        publish(make(), tmp_path / "published.duckdb")
    assert [path.name for path in tmp_path.iterdir()] == ["reelhouse.duckdb"]


def test_a_question_before_the_first_publish(tmp_path: Path) -> None:
    with pytest.raises(ReelhouseError, match="nothing has been published yet"):
        query(tmp_path / "published.duckdb", "select 1")


HOSTILE = "o'x\"; drop schema marts cascade; --"


@pytest.mark.long
@pytest.mark.fault("18")
def test_any_name_of_a_folder_a_table_or_a_column_is_data(
    make: Make, tmp_path: Path
) -> None:
    odd = '"' + HOSTILE.replace('"', '""') + '"'
    database = make(
        extra=f"create table marts.{odd} as select 1 as {odd}, '=1' as text; "
        f"comment on column marts.{odd}.{odd} is 'odd'"
    )
    build = replace(
        BUILD,
        relations=[*BUILD.relations, Relation(HOSTILE, "table", HOSTILE, (), ())],
    )
    folder = tmp_path / HOSTILE
    folder.mkdir()
    database = database.rename(folder / database.name)
    before = database.read_bytes()
    settings = Settings("data/sample", folder, "dev", None, 1.0, None)
    for each in (build, changed("dim_movies", build=build)):
        publish(database, settings.published, each)
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
    ("change", "build", "does_stand"),
    [
        ("select 1", BUILD, True),
        ("select 1", replace(BUILD, load_id=2), False),
        ("select 1", replace(BUILD, tests=5), False),
        ("select 1", changed("health_loads"), False),
        ("select 1", replace(BUILD, relations=BUILD.relations[1:]), False),
        (
            "select 1",
            replace(
                BUILD,
                relations=[replace(each, key_columns=()) for each in BUILD.relations],
            ),
            False,
        ),
        ("update serving.published_tables set version = 'other'", BUILD, False),
        ("alter table serving.published_tables drop column version", BUILD, False),
        ("drop table serving.published_tables", BUILD, False),
        ("drop table serving.publication", BUILD, False),
    ],
)
def test_what_is_published_stands_until_something_is_new(
    first: Path, tmp_path: Path, change: str, build: Build, does_stand: bool
) -> None:
    published = Path(shutil.copy(first / "published.duckdb", tmp_path))
    (version,) = told(published, "select version from serving.publication")[0]
    told(published, change)
    with duckdb.connect(str(published), read_only=True) as connection:
        found = up_to_date(lambda sql: connection.execute(sql).fetchall(), build)
    assert found == (Publication(version, 1, 3, 2) if does_stand else None)


def test_what_is_published_no_more_is_told(first: Path) -> None:
    build = replace(BUILD, relations=BUILD.relations[:2], gone=[])
    with connect(first / "published.duckdb", read_only=True) as connection:
        assert up_to_date(asking(connection), build) is None
    assert build.gone == ["health_loads"]


@pytest.mark.long
def test_a_publish_on_a_full_disk_leaves_all_as_it_was(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    published = tmp_path / "published.duckdb"
    publish(make(), published)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(Path, "write_text", Mock(side_effect=full))
    settings = replace(unbuilt(), warehouse=tmp_path)
    with pytest.raises(OSError, match="No space left"):
        engine.publish(settings, changed("dim_movies"))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
