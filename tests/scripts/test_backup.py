"""The backup restores lost data row for row, or says what it cannot restore."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from struct import iter_unpack
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result
from tests.delivery import MOVIES, RATINGS, Delivery, csv

from reelhouse.cli import main
from reelhouse.engines.duckdb import backup
from reelhouse.engines.duckdb.attempt import attempt
from reelhouse.engines.duckdb.backup import Recovery
from reelhouse.engines.duckdb.connection import connect, log_of
from reelhouse.errors import ReelhouseError
from reelhouse.ingest.load import load
from reelhouse.ingest.source import Bucket
from reelhouse.local.bucket import environment as aws_variables
from reelhouse.s3 import S3Settings, upload

# Tests of DuckDB's own files; `make test` covers the story and the loader.
pytestmark = pytest.mark.long

# Rows as a build makes them, also of a type that Parquet does not have.
HISTORY = """
    create schema snapshots;
    create table snapshots.snap_movies as
        select movie_id, title, md5(title) as dbt_scd_id,
            timestamp '2026-01-01 12:00:00.123456' + interval (movie_id) day
                as dbt_valid_from,
            cast(null as timestamp) as dbt_valid_to,
            cast(170141183460469231731687303715884105727 as hugeint) - movie_id
                as tenths
        from raw.movies;
    create table snapshots.snap_tags (tag varchar, dbt_valid_from timestamp);
    create schema marts;
    create table marts.dim_movies as select * from raw.movies;
"""
BLOCK_BYTES = 262_144
FIRST_BLOCK = 3 * 4096


@pytest.fixture(scope="module")
def grown(s3_server: S3Settings, tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """A warehouse after three loads that brought, removed and rejected rows."""
    upload(s3_server, [], "s3://backup-bucket")
    delivery = Delivery(
        s3_server, "backup-bucket", tmp_path_factory.mktemp("grown") / "warehouse"
    )
    delivery.put({"movies.csv": csv("movies", MOVIES)})
    delivery.put({"ratings.csv": csv("ratings", RATINGS)})
    delivery.load()
    delivery.put({"ratings.csv": csv("ratings", [*RATINGS[1:], "7,2,9.9,1164982931"])})
    delivery.load()
    more = [f"{user},1,4.0,1164982932" for user in range(100, 200)]
    delivery.put({"ratings/more.csv": csv("ratings", [*more, more[0]])})
    delivery.put({"movies.csv": csv("movies", [*MOVIES[:2], "4,Brink (2003),War"])})
    delivery.load()
    with duckdb.connect(str(delivery.settings.database)) as connection:
        connection.execute(HISTORY)
    return delivery


@pytest.fixture
def lost(grown: Delivery, tmp_path: Path) -> Delivery:
    """A copy of `grown` that a test may damage."""
    shutil.copytree(grown.warehouse, tmp_path / "warehouse")
    return replace(grown, warehouse=tmp_path / "warehouse")


def deliver_one_more(lost: Delivery) -> None:
    """Load one more rating from a separate object, and remove the object."""
    key = "ratings/most.csv"
    lost.put({key: csv("ratings", ["9,9,4.0,1164982939"])})
    lost.load()
    lost.remove(key)


def save(delivery: Delivery) -> None:
    folder = delivery.settings.backup
    backup.commit(backup.write(delivery.settings.database, folder), folder)


def recover(delivery: Delivery, to: Path) -> Recovery:
    settings = delivery.settings
    to.unlink(missing_ok=True)
    return backup.recover(settings.database, settings.backup, settings.source_name, to)


def contents(database: Path) -> dict[str, Any]:
    """Return all rows of the raw and history tables, and their columns' types."""
    with connect(database, read_only=True) as connection:
        run = connection.execute
        names = run(
            "select schema_name || '.' || table_name from duckdb_tables() "
            "where schema_name in ('raw', 'snapshots') order by all"
        ).fetchall()
        return {
            name: (
                [column[:2] for column in run(f"describe {name}").fetchall()],
                run(f"from {name} order by all").fetchall(),
            )
            for (name,) in names
        }


def damage(database: Path, table: str) -> None:
    """Overwrite the beginning of a table's first block, where its values are."""
    with connect(database, read_only=True) as connection:
        ((block,),) = connection.execute(
            f"select min(block_id) from pragma_storage_info('{table}') "
            f"where block_id >= 0"
        ).fetchall()
    with database.open("r+b") as file:
        file.seek(FIRST_BLOCK + block * BLOCK_BYTES + 64)
        file.write(bytes(range(64)))


def parts(delivery: Delivery) -> Iterator[Path]:
    return delivery.settings.backup.glob("*.parquet")


def call(delivery: Delivery, *arguments: str) -> Result:
    own = {"REELHOUSE_WAREHOUSE": str(delivery.warehouse)}
    return CliRunner().invoke(main, arguments, env=own | aws_variables(delivery.s3))


def said(result: Result, *words: str) -> None:
    assert result.exit_code == 1, result.output
    assert result.stderr.count("\n") == 1
    for word in ("reelhouse: ", *words):
        assert word in result.stderr


def test_what_is_lost_comes_back_row_for_row(lost: Delivery, tmp_path: Path) -> None:
    save(lost)
    wanted = contents(lost.settings.database)
    assert len(wanted["raw.ratings"][1]) == 105
    assert len(wanted["raw.rejects"][1]) == 1
    for loss in (b"no database " * 1000, b"", None):
        if loss is None:
            lost.settings.database.unlink()
        else:
            lost.settings.database.write_bytes(loss)
        recovery = recover(lost, tmp_path / "new.duckdb")
        assert (recovery.raw, recovery.history) == ("backup", "backup")
        assert not recovery.is_whole
        assert contents(tmp_path / "new.duckdb") == wanted


def test_only_what_changed_is_written_again(lost: Delivery) -> None:
    save(lost)
    before = {path: path.stat().st_ino for path in parts(lost)}
    save(lost)
    assert {path: path.stat().st_ino for path in parts(lost)} == before

    deliver_one_more(lost)
    save(lost)
    after = set(parts(lost))
    assert sorted(path.name.split(".")[1] for path in after - set(before)) == [
        *("listings", "load_objects", "loads", "objects", "ratings"),
    ]
    assert sorted(path.name.split(".")[1] for path in set(before) - after) == [
        *("listings", "load_objects", "loads", "objects"),
    ]


def test_a_part_that_went_bad_is_written_anew(lost: Delivery) -> None:
    save(lost)
    bad, gone, *_ = sorted(parts(lost))
    was = bad.read_bytes()
    bad.write_bytes(was[:-1] + b"x")
    gone.unlink()
    save(lost)
    assert bad.read_bytes() == was
    assert gone.exists()


def test_a_part_that_does_not_read_back_does_not_count(
    lost: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(lost)
    kept = {path: path.read_bytes() for path in lost.settings.backup.iterdir()}
    deliver_one_more(lost)
    with duckdb.connect(str(lost.settings.database)) as connection:
        connection.execute("update snapshots.snap_movies set tenths = 9007199254740993")
    # Without INEXACT, a hugeint becomes a double in the backup.
    monkeypatch.setattr(backup, "INEXACT", ())
    with pytest.raises(ReelhouseError, match=r"snap_movies.*does not read back"):
        backup.write(lost.settings.database, lost.settings.backup)
    manifest = lost.settings.backup / backup.MANIFEST
    assert manifest.read_bytes() == kept[manifest]
    assert all(path.read_bytes() == body for path, body in kept.items())


CHOICES = {
    "file": ([], [], ("file", None), True),
    "file's raw rows": (["snapshots.snap_movies"], [], ("file", None), False),
    "backup": (["raw.ratings"], [], ("backup", "backup"), False),
    "backup's raw rows": (
        ["raw.ratings", "snapshots.snap_movies"],
        ["snapshots.snap_movies"],
        ("backup", None),
        False,
    ),
    "file's history": (["raw.ratings"], ["raw.ratings"], (None, "file"), False),
    "backup's history": (
        ["raw.ratings", "snapshots.snap_movies"],
        ["raw.ratings"],
        (None, "backup"),
        False,
    ),
    "nothing": (
        ["raw.ratings", "snapshots.snap_movies"],
        ["raw.ratings", "snapshots.snap_tags"],
        (None, None),
        False,
    ),
}


@pytest.mark.parametrize(
    ("of_file", "of_backup", "found", "is_whole"), CHOICES.values(), ids=CHOICES
)
def test_the_best_of_file_and_backup_is_taken(
    lost: Delivery,
    tmp_path: Path,
    of_file: list[str],
    of_backup: list[str],
    found: tuple[str | None, str | None],
    is_whole: bool,
) -> None:
    save(lost)
    wanted = contents(lost.settings.database)
    for table in of_file:
        damage(lost.settings.database, table)
    for table in of_backup:
        (part, *_) = lost.settings.backup.glob(f"{table}.*")
        part.write_bytes(part.read_bytes()[:-1])
    new = tmp_path / "new.duckdb"
    recovery = recover(lost, new)
    assert (recovery.raw, recovery.history, recovery.is_whole) == (*found, is_whole)
    assert recovery.lacks_history == (bool(found[0]) and not found[1])
    rows = contents(new) if new.exists() else {}
    for schema, place in zip(("raw.", "snapshots."), found, strict=True):
        tables = {name for name in wanted if name.startswith(schema)}
        if place:
            assert {name: rows[name] for name in tables} == {
                name: wanted[name] for name in tables
            }
        else:
            assert not any(rows[name][1] for name in tables & rows.keys())


def test_another_sources_backup_is_left_alone(lost: Delivery, tmp_path: Path) -> None:
    save(lost)
    lost.settings.database.unlink()
    lost.folder = "elsewhere"
    recovery = recover(lost, tmp_path / "new.duckdb")
    assert recovery == Recovery(None, None, False, None)


@pytest.mark.parametrize("content", ["", "{}", '{"parts": [1]}', "[]"])
def test_a_manifest_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / backup.MANIFEST).write_text(content)
    assert backup.read(tmp_path) is None
    assert backup.is_unreadable(tmp_path)


@pytest.mark.fault("26")
def test_a_backup_with_a_wrong_byte_is_put_aside_whole(lost: Delivery) -> None:
    save(lost)
    manifest = lost.settings.backup / backup.MANIFEST
    content = manifest.read_bytes()
    note = lost.settings.backup / "note.txt"
    note.write_text("mine")
    parts = {path.name for path in lost.settings.backup.iterdir()}
    lost.settings.database.unlink()
    for at in range(0, len(content), len(content) // 40):
        changed = bytearray(content)
        changed[at] ^= 1
        manifest.write_bytes(changed)
        is_read = backup.read(lost.settings.backup)
        assert is_read is None or is_read == backup.Backup(**vars(is_read))
        assert backup.is_unreadable(lost.settings.backup) or bytes(changed) == content
    with attempt(lost.settings, dict, rebuild=False) as made:
        assert made.has_unreadable_backup
        assert made.recovery == Recovery(None, None, False, None)
        lost.put({"movies.csv": csv("movies", MOVIES)})
        with made.open() as warehouse:
            load(lost.settings, Bucket(lost.s3, lost.url), warehouse)
        assert made.back_up()
        made.skip_publish()
    assert made.aside
    kept = {path.name for path in (made.aside / "backup").iterdir()}
    assert parts <= kept
    assert not backup.is_unreadable(lost.settings.backup)
    assert backup.read(lost.settings.backup)
    assert note.exists()


@pytest.mark.fault("26")
def test_a_log_goes_with_its_file(lost: Delivery) -> None:
    """The log of a deleted file moves aside, so the restored file does not use it."""
    save(lost)
    log = log_of(lost.settings.database)
    killed = (
        "import duckdb, os, sys; made = duckdb.connect(sys.argv[1]); "
        "made.execute('create table mine as select 1'); os._exit(0)"
    )
    arguments = [sys.executable, "-c", killed, str(lost.settings.database)]
    subprocess.run(arguments, check=True, timeout=60)
    assert log.exists()
    lost.settings.database.unlink()
    with attempt(lost.settings, dict, rebuild=False) as made:
        made.skip_publish()
    assert made.aside
    assert (made.aside / log.name).exists()
    assert not log.exists()
    with closing(connect(lost.settings.database, read_only=True)) as connection:
        assert connection.execute("select count(*) from raw.ratings").fetchall()


@pytest.mark.fault("15", "26")
@pytest.mark.parametrize("is_killed", [True, False])
@pytest.mark.parametrize("is_copied", [True, False])
def test_what_another_program_writes_meanwhile_is_not_lost(
    lost: Delivery, is_killed: bool, is_copied: bool
) -> None:
    writes = (
        "import duckdb, os, sys; made = duckdb.connect(sys.argv[1]); "
        "made.execute('create table mine as select 1'); "
        f"os._exit(0) if {is_killed} else made.close()"
    )
    arguments = [sys.executable, "-c", writes, str(lost.settings.database)]
    with attempt(lost.settings, dict, rebuild=False) as made:
        with made.open():
            pass
        if is_copied:
            made.prepare()
        subprocess.run(arguments, check=True, timeout=60)
        with pytest.raises(ReelhouseError, match="Another program has written to"):
            made.skip_publish()
    with closing(connect(lost.settings.database)) as connection:
        assert connection.execute("from mine").fetchall() == [(1,)]


def test_a_link_to_a_file_of_another_name(lost: Delivery) -> None:
    """DuckDB names a database after the target, but our queries name it by the link."""
    database = lost.settings.database
    database.rename(database.with_name("mine.duckdb"))
    database.symlink_to("mine.duckdb")
    with attempt(lost.settings, dict, rebuild=False) as made, made.asking() as ask:
        assert ask("select current_database()") == [("reelhouse",)]


def test_a_block_that_is_damaged(lost: Delivery) -> None:
    damage(lost.settings.database, "raw.ratings")
    with pytest.raises(ReelhouseError, match=r"duckdb is damaged.*run --rebuild"):
        deliver_one_more(lost)
    damage(lost.settings.database, "raw.loads")
    said(call(lost, "run", "--source", lost.url), "duckdb is damaged", "run --rebuild")


def test_a_file_of_a_newer_engine(lost: Delivery) -> None:
    database = lost.settings.database
    content = bytearray(database.read_bytes())
    # Change the storage version, and correct the checksum of its block.
    content[12:20] = (70).to_bytes(8, "little")
    checksum = 5381
    for (word,) in iter_unpack("<Q", content[8:4096]):
        checksum ^= word * 0xBF58476D1CE4E5B9 % 2**64
    content[:8] = checksum.to_bytes(8, "little")
    database.write_bytes(content)
    for command in ("load", "publish"):
        result = call(lost, command)
        said(result, str(database), "was written by a newer DuckDB", "run --rebuild")
    assert database.read_bytes() == content


def test_a_published_file_that_is_damaged(lost: Delivery) -> None:
    published = lost.settings.published
    published.write_bytes(b"no database " * 1000)
    said(call(lost, "query", "from dim_movies"), str(published), "`reelhouse publish`")
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"attach '{published}2' as made")
        connection.execute("create schema made.serving")
        connection.execute(
            "create table made.serving.numbers as select random() from range(1000)"
        )
    Path(f"{published}2").replace(published)
    damage(published, "serving.numbers")
    question = "from numbers"
    said(call(lost, "query", question), str(published), "`reelhouse publish`")


READ_ONLY = {
    "the folder": (
        "warehouse",
        ("/.lock cannot be used", "check its permissions, or name another"),
    ),
    "the file": (
        "warehouse/reelhouse.duckdb",
        ("reelhouse.duckdb cannot be opened", "permissions"),
    ),
}


@pytest.mark.parametrize(("what", "words"), READ_ONLY.values(), ids=READ_ONLY)
def test_what_is_read_only(
    lost: Delivery, tmp_path: Path, what: str, words: tuple[str, ...]
) -> None:
    command = (
        'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@" || exit 9'
    )
    before = lost.settings.database.read_bytes()
    run = subprocess.run(
        [
            *("unshare", "--mount", "--map-root-user", "sh", "-c", command),
            *(tmp_path / what, sys.executable, "-m", "reelhouse", "run"),
        ],
        env=os.environ | {"REELHOUSE_WAREHOUSE": str(lost.warehouse)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if run.returncode == 9 and "CI" not in os.environ:
        pytest.skip(f"this machine allows no mount namespace ({run.stderr.strip()})")
    assert run.returncode == 1, run.stderr
    for word in ("reelhouse: ", *words):
        assert word in run.stderr
    assert run.stderr.count("\n") == 1
    assert lost.settings.database.read_bytes() == before
