"""DuckDB: update a copy of the published file and put it in place by one rename."""

from __future__ import annotations

import os
import shutil
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb

from reelhouse.engines.duckdb.connection import (
    asking,
    attached,
    connect,
    identifier,
    literal,
    log_of,
    sha256_of,
    telling_damage,
)
from reelhouse.engines.publication import (
    Build,
    Piece,
    Publication,
    describe,
    earlier,
    pieces_of,
    staying,
)
from reelhouse.engines.view_sql import View, refusal
from reelhouse.engines.warehouse import Ask, Shapes, shapes_in
from reelhouse.errors import ReelhouseError

# Readers as old as DuckDB 1.1 open a file of this version.
STORAGE_VERSION = "v1.0.0"
# A copy keeps free blocks. With this limit the file is at most twice as large as what
# it holds, even if tables shrink; replaced tables reuse the blocks of the old ones.
MOST_FREE = 0.5


def prepare(
    database: Path, published: Path | None, to: Path, build: Build
) -> Publication:
    """Write the tables of a build into a file that no reader sees until `show`.

    It starts as a copy of `published` with the changed tables replaced, or as a new
    file if `published` cannot be reused. Its SHA-256 is written beside it, in the
    format of sha256sum.
    """
    remove(to)
    connect(database, read_only=True).close()
    connection = connect(Path(":memory:"))
    try:
        with telling_damage(database):
            connection.execute(f"attach {literal(database)} as reelhouse (read_only)")
            connection.execute("use reelhouse")
            publication = _write(connection, published, to, build)
        note = f"{sha256_of(to)}  {to.name.removeprefix('.')}\n"
        _checksum(to).write_text(note, encoding="utf-8")
    except BaseException:
        connection.close()
        remove(to)
        raise
    connection.close()
    return publication


def put_in_place(prepared: Path, published: Path) -> None:
    """Replace a file, or the target of a link, by a prepared one in one step.

    Readers that have the old file open keep reading it; no reader sees half a file.
    """
    published = published.resolve()
    if prepared.stat().st_dev != published.parent.stat().st_dev:
        prepared = Path(shutil.copyfile(prepared, published.with_name(".new")))
    with prepared.open("rb") as file:
        os.fsync(file.fileno())
    prepared.replace(published)


def show(prepared: Path, published: Path) -> None:
    """Put the file that `prepare` wrote in place, then its checksum."""
    put_in_place(prepared, published)
    _checksum(prepared).replace(_checksum(published))


def is_as_written(published: Path) -> bool:
    """Whether a published file exists and matches its checksum."""
    try:
        noted, _, _ = _checksum(published).read_text(encoding="utf-8").partition(" ")
        return noted == sha256_of(published)
    except (OSError, UnicodeDecodeError):
        return False


def _checksum(published: Path) -> Path:
    return published.with_suffix(".sha256")


def remove(file: Path) -> None:
    """Remove a file with its log and its checksum."""
    # DuckDB would write the log of a killed process into the next file.
    for path in (file, log_of(file), _checksum(file)):
        path.unlink(missing_ok=True)


def _write(
    connection: duckdb.DuckDBPyConnection,
    published: Path | None,
    to: Path,
    build: Build,
) -> Publication:
    ask = asking(connection)
    texts: dict[str, str] = dict(
        ask(
            "select lower(view_name), sql from duckdb_views() "
            "where database_name = 'reelhouse' and schema_name = 'marts'"
        )
    )
    pieces = pieces_of(build, texts, "duckdb", "reelhouse", "serving")
    stays, history = _known(published, pieces, shapes_in(ask, "marts"))
    columns, comments = _described(ask)
    if published and stays:
        shutil.copyfile(published, to)
    connection.execute(
        f"attach {literal(to)} as published (storage_version '{STORAGE_VERSION}')"
    )
    connection.execute("begin")
    connection.execute("create schema if not exists published.serving")
    for name, kind in ask(
        "select table_name, case when table_type = 'VIEW' then 'view' else 'table' end "
        "from information_schema.tables "
        "where table_catalog = 'published' and table_schema = 'serving'"
    ):
        if name.lower() not in stays:
            connection.execute(f"drop {kind} published.serving.{identifier(name)}")
    connection.execute("commit")
    if stays:
        # Frees the blocks of the dropped tables, so that new ones reuse them.
        connection.execute("checkpoint published")
    connection.execute("begin")
    rows = dict(stays)
    for piece in pieces:
        if piece.name not in stays:
            if piece.view:
                _make_view(connection, piece.name, piece.view, columns[piece.name])
            else:
                _copy_table(connection, piece.name, columns[piece.name])
            for on, comment in comments[piece.name].items():
                kind, target = ("column", f".{on}") if on else (piece.kind, "")
                connection.execute(
                    f"comment on {kind} {_in_serving(piece.name)}{target} "
                    f"is {literal(comment)}"
                )
            rows[piece.name] = _count(connection, _in_serving(piece.name))
    publication, described = describe(build, pieces, rows, history, literal)
    for name, select in described.items():
        connection.execute(f"create table {_in_serving(name)} as {select}")
    connection.execute("commit")
    connection.execute("use memory")
    connection.execute("checkpoint published")
    connection.execute("detach published")
    return publication


def _known(
    published: Path | None, pieces: list[Piece], built: Shapes
) -> tuple[dict[str, int], list[tuple[Any, ...]]]:
    """Return the pieces of a published file that can stay, and its history.

    No piece stays if the file is not fit for reuse; both are empty if it is unreadable.
    """
    stays: dict[str, int] = {}
    history: list[tuple[Any, ...]] = []
    if not published:
        return stays, history
    with (
        suppress(ReelhouseError, duckdb.Error),
        closing(attached(published)) as connection,
    ):
        connection.execute("use published")
        ask = asking(connection)
        history = earlier(ask)
        ((is_fit,),) = ask(
            "select free_blocks <= total_blocks * "
            f"{MOST_FREE} and tags['storage_version'] = '{STORAGE_VERSION}+' "
            "from pragma_database_size() join duckdb_databases() "
            "using (database_name) where database_name = 'published'"
        )
        if is_fit and is_as_written(published):
            stays = staying(
                ask,
                "serving",
                pieces,
                built,
                lambda names: {
                    name: _count(connection, f"serving.{identifier(name)}")
                    for name in names
                },
            )
    return stays, history


def _in_serving(name: str) -> str:
    return f"published.serving.{identifier(name)}"


def _described(
    ask: Ask,
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """The columns of each mart with their types, and the comments of each mart.

    The comment of the mart itself is that of the column ''.
    """
    columns: dict[str, dict[str, str]] = {}
    comments: dict[str, dict[str, str]] = {}
    marts = "database_name = 'reelhouse' and schema_name = 'marts'"
    for name, comment in ask(
        f"select lower(table_name), comment from duckdb_tables() where {marts} "
        f"union all select lower(view_name), comment from duckdb_views() where {marts}"
    ):
        columns[name] = {}
        comments[name] = {"": comment} if comment is not None else {}
    for name, column, data_type, is_nullable, comment in ask(
        "select lower(table_name), column_name, data_type, is_nullable, comment "
        f"from duckdb_columns() where {marts} order by column_index"
    ):
        not_null = "" if is_nullable else " not null"
        columns[name][identifier(column)] = f"{data_type}{not_null}"
        if comment is not None:
            comments[name][identifier(column)] = comment
    return columns, comments


def _copy_table(
    connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str]
) -> None:
    source, target = f"reelhouse.marts.{identifier(name)}", _in_serving(name)
    definition = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"create table {target} ({definition})")
    copied = connection.execute(f"insert into {target} from {source}").fetchall()[0][0]
    there = _count(connection, source)
    if copied != there:
        raise ReelhouseError(
            f"{name} has {there:,} rows, but {copied:,} were copied: nothing is "
            f"published; publish again."
        )


def _make_view(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    view: View,
    columns: dict[str, str],
) -> None:
    connection.execute("use published")
    try:
        connection.execute(
            f"create view serving.{identifier(name)} ({', '.join(columns)}) "
            f"as {view.text}"
        )
    except duckdb.Error as error:
        raise refusal(name, error) from error
    connection.execute("use reelhouse")


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(connection.execute(f"select count(*) from {relation}").fetchall()[0][0])
