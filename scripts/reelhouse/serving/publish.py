"""Publish: what passed every test, in one place, shown to readers by one step.

What is written is what differs from the place that is brought up to date: a copy of
the published file, or in an account the schema that was published before the present
one. Both engines decide here what that is.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb

from reelhouse.engines.duckdb.load import (
    Ask,
    asking,
    attached,
    connect,
    identifier,
    literal,
    telling_damage,
)
from reelhouse.engines.views import Dialect, View, published_view, refusal
from reelhouse.errors import ReelhouseError

# Readers as old as DuckDB 1.1 open a file of this version.
STORAGE_VERSION = "v1.0.0"
# A copy carries free blocks along. With this bound the file is at most twice as large
# as what it holds, whatever shrinks; what is replaced is written where it was before.
MOST_FREE = 0.5
# Columns of `published_tables`, which tell a later publish what is there.
LAYOUT = ("name", "kind", "row_count", "ignored_columns", "key_columns", "version")


@dataclass(frozen=True)
class Publication:
    """What was published: its own id, the load, tables and views, and rows in all."""

    version: str
    load_id: int
    tables: int
    rows: int


@dataclass(frozen=True)
class Build:
    """What may be published: its load, what passed, and its tables."""

    load_id: int
    tests: int
    models: int
    relations: list[Relation]


@dataclass(frozen=True)
class Relation:
    """A model to be published, in lower case: a table or view in the marts.

    `version` tells by which rules and of which loads it was made. `ignored_columns` no
    compare looks at; `key_columns` is empty where no test names a key.
    """

    name: str
    kind: str
    version: str
    ignored_columns: tuple[str, ...]
    key_columns: tuple[str, ...]


@dataclass(frozen=True)
class Piece:
    """A relation as it is published: by a view, or where that is None with its rows."""

    relation: Relation
    view: View | None

    @property
    def name(self) -> str:
        return self.relation.name

    @property
    def kind(self) -> str:
        return "view" if self.view else "table"


# Kind, and names and types of columns, by the name of a relation.
Shapes = dict[str, tuple[str, tuple[tuple[Any, ...], ...]]]


def pieces_of(
    build: Build,
    texts: Mapping[str, str | None],
    dialect: Dialect,
    database: str,
    schema: str = "",
) -> list[Piece]:
    """What is published as what, each after what it reads.

    `texts` are the views of the marts in `database`. A view stays one where all that
    it reads is published too, in `schema`; of others the rows are published.
    """
    names = {relation.name for relation in build.relations}
    pieces: dict[str, Piece] = {}
    for relation in build.relations:
        view = None
        if text := texts.get(relation.name):
            view = published_view(relation.name, text, dialect, database, schema)
            if view.outside or not view.reads <= names:
                view = None
        pieces[relation.name] = Piece(relation, view)
    reads = {
        name: piece.view.reads if piece.view else () for name, piece in pieces.items()
    }
    return [pieces[name] for name in TopologicalSorter(reads).static_order()]


def shapes(ask: Ask, schema: str) -> Shapes:
    """What a schema holds, as its engine describes it."""
    tables = {
        name
        for (name,) in ask(
            "select lower(table_name) from information_schema.tables "
            f"where lower(table_schema) = '{schema}' and table_type = 'BASE TABLE'"
        )
    }
    columns: dict[str, list[tuple[Any, ...]]] = {}
    for name, *column in ask(
        "select lower(table_name), lower(column_name), data_type, numeric_precision, "
        "numeric_scale from information_schema.columns "
        f"where lower(table_schema) = '{schema}' "
        "order by table_name, ordinal_position"
    ):
        columns.setdefault(name, []).append(tuple(column))
    return {
        name: ("table" if name in tables else "view", tuple(each))
        for name, each in columns.items()
    }


def staying(
    ask: Ask,
    schema: str,
    pieces: list[Piece],
    built: Shapes,
    counted: Callable[[Collection[str]], Mapping[str, int]],
) -> dict[str, int]:
    """What a schema holds already as it is to be, with its numbers of rows.

    That is what `published_tables` has in the same version, if it is there, with the
    columns of `built` and as many rows as are `counted`; and a view only where all
    that it reads stays.
    """
    there = shapes(ask, schema)
    if not _has_layout(there):
        return {}
    said = {
        name: (kind, version, rows)
        for name, kind, version, rows in ask(
            f"select name, kind, version, row_count from {schema}.published_tables"
        )
    }
    alike = [
        piece
        for piece in pieces
        if said.get(piece.name, ())[:2] == (piece.kind, piece.relation.version)
        and piece.name in there
        and there[piece.name] == (piece.kind, built[piece.name][1])
    ]
    rows = counted([piece.name for piece in alike if not piece.view])
    stays: dict[str, int] = {}
    for piece in alike:
        count = said[piece.name][2]
        if piece.view:
            is_same = piece.view.reads <= stays.keys()
        else:
            is_same = rows[piece.name] == count
        if is_same:
            stays[piece.name] = count
    return stays


def _has_layout(there: Shapes) -> bool:
    _, columns = there.get("published_tables", ("", ()))
    return "publication" in there and {name for name, *_ in columns} == {*LAYOUT}


def publication_of(
    build: Build, pieces: list[Piece], rows: Mapping[str, int]
) -> Publication:
    """The publication that consists of these pieces, under an id of its own."""
    return Publication(
        uuid.uuid4().hex,
        build.load_id,
        len(pieces),
        sum(rows[piece.name] for piece in pieces if not piece.view),
    )


def descriptions(
    publication: Publication,
    build: Build,
    pieces: list[Piece],
    rows: Mapping[str, int],
    literal: Callable[[object], str] = literal,
) -> dict[str, str]:
    """The two tables in which a publication tells what it is, as a select each."""
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    return {
        "publication": f"select cast({literal(publication.version)} as varchar) "
        f"as version, cast({literal(now)} as timestamp) as published_at, "
        f"cast({build.load_id} as bigint) as load_id, "
        f"cast({build.tests} as bigint) as tests, "
        f"cast({build.models} as bigint) as models",
        "published_tables": " union all ".join(
            f"select {literal(piece.name)} as name, {literal(piece.kind)} as kind, "
            f"cast({literal(rows[piece.name])} as bigint) as row_count, "
            f"{literal(', '.join(piece.relation.ignored_columns))} as ignored_columns, "
            f"{literal(', '.join(piece.relation.key_columns))} as key_columns, "
            f"{literal(piece.relation.version)} as version"
            for piece in pieces
        ),
    }


def standing(published: Ask, build: Build) -> Publication | None:
    """What is published, where publishing a build would change nothing of it."""
    if not _has_layout(shapes(published, "serving")):
        return None
    known = published(
        "select name, version, ignored_columns, key_columns, kind, row_count "
        "from serving.published_tables"
    )
    wanted = {
        (
            *(relation.name, relation.version),
            *(", ".join(relation.ignored_columns), ", ".join(relation.key_columns)),
        )
        for relation in build.relations
    }
    ((version, *about),) = published(
        "select version, load_id, tests, models from serving.publication"
    )
    if {row[:4] for row in map(tuple, known)} != wanted:
        return None
    if about != [build.load_id, build.tests, build.models]:
        return None
    rows = sum(count for *_, kind, count in known if kind == "table")
    return Publication(version, build.load_id, len(known), rows)


def prepare(database: Path, published: Path, to: Path, build: Build) -> Publication:
    """Write what a build has to publish into a file that nobody sees yet.

    It is a copy of the `published` one, in which what differs is replaced; or a new
    one, where there is none that can be built upon. Nobody sees it until
    `put_in_place`.
    """
    _remove(to)
    connect(database, read_only=True).close()
    connection = connect(Path(":memory:"))
    try:
        with telling_damage(database):
            connection.execute(f"attach {literal(database)} as reelhouse (read_only)")
            connection.execute("use reelhouse")
            publication = _write(connection, published, to, build)
    except BaseException:
        connection.close()
        _remove(to)
        raise
    connection.close()
    return publication


def put_in_place(prepared: Path, published: Path) -> None:
    """Replace the published file by a prepared one, in one step.

    Who has the old file open goes on reading it; a reader never sees a part.
    """
    with prepared.open("rb") as file:
        os.fsync(file.fileno())
    prepared.replace(published)


def _remove(file: Path) -> None:
    # What a killed process has left in a log would be written into the next file.
    for path in (file, file.with_name(file.name + ".wal")):
        path.unlink(missing_ok=True)


def _write(
    connection: duckdb.DuckDBPyConnection, published: Path, to: Path, build: Build
) -> Publication:
    ask = asking(connection)
    texts: dict[str, str] = dict(
        ask(
            "select lower(view_name), sql from duckdb_views() "
            "where database_name = 'reelhouse' and schema_name = 'marts'"
        )
    )
    pieces = pieces_of(build, texts, "duckdb", "reelhouse", "serving")
    stays = _staying_in(published, pieces, shapes(ask, "marts"))
    if stays:
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
        # Frees the blocks for what comes in their place.
        connection.execute("checkpoint published")
    connection.execute("begin")
    rows = dict(stays)
    for piece in pieces:
        if piece.name not in stays:
            if piece.view:
                _make_view(connection, piece.name, piece.view)
            else:
                _copy_table(connection, piece.name)
            _copy_comments(connection, piece)
            rows[piece.name] = _count(connection, _in_serving(piece.name))
    publication = publication_of(build, pieces, rows)
    for name, select in descriptions(publication, build, pieces, rows).items():
        connection.execute(f"create table {_in_serving(name)} as {select}")
    connection.execute("commit")
    connection.execute("use memory")
    connection.execute("checkpoint published")
    connection.execute("detach published")
    return publication


def _staying_in(published: Path, pieces: list[Piece], built: Shapes) -> dict[str, int]:
    """What of a published file can be taken as it is; nothing of one past use."""
    try:
        with closing(attached(published)) as connection:
            connection.execute("use published")
            ask = asking(connection)
            ((is_fit,),) = ask(
                "select free_blocks <= total_blocks * "
                f"{MOST_FREE} and tags['storage_version'] = '{STORAGE_VERSION}+' "
                "from pragma_database_size() join duckdb_databases() "
                "using (database_name) where database_name = 'published'"
            )
            if not is_fit:
                return {}
            return staying(
                ask,
                "serving",
                pieces,
                built,
                lambda names: {name: _read(connection, name) for name in names},
            )
    except (ReelhouseError, duckdb.Error):
        return {}


def _read(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    """Read a table whole, so that damage shows; its rows."""
    rows, _ = connection.execute(
        f"select count(*), max(hash(whole)) from serving.{identifier(name)} as whole"
    ).fetchall()[0]
    return int(rows)


def _in_serving(name: str) -> str:
    return f"published.serving.{identifier(name)}"


def _copy_table(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    source, target = f"reelhouse.marts.{identifier(name)}", _in_serving(name)
    definition = ", ".join(
        f"{identifier(column)} {data_type}{'' if nullable else ' not null'}"
        for column, data_type, nullable in _columns(connection, name)
    )
    connection.execute(f"create table {target} ({definition})")
    copied = connection.execute(f"insert into {target} from {source}").fetchall()[0][0]
    there = _count(connection, source)
    if copied != there:
        raise ReelhouseError(
            f"{name} has {there:,} rows, but {copied:,} were copied: nothing is "
            f"published; publish again."
        )


def _make_view(connection: duckdb.DuckDBPyConnection, name: str, view: View) -> None:
    columns = ", ".join(identifier(column) for column, *_ in _columns(connection, name))
    connection.execute("use published")
    try:
        connection.execute(
            f"create view serving.{identifier(name)} ({columns}) as {view.text}"
        )
    except duckdb.Error as error:
        raise refusal(name, error) from error
    connection.execute("use reelhouse")


def _columns(
    connection: duckdb.DuckDBPyConnection, name: str
) -> list[tuple[str, str, bool]]:
    """Name and type of the columns of a mart, and whether they may be null."""
    return connection.execute(
        "select column_name, data_type, is_nullable from duckdb_columns() "
        "where database_name = 'reelhouse' and schema_name = 'marts' "
        "and lower(table_name) = ? order by column_index",
        [name],
    ).fetchall()


def _copy_comments(connection: duckdb.DuckDBPyConnection, piece: Piece) -> None:
    where = "where database_name = 'reelhouse' and schema_name = 'marts'"
    target = _in_serving(piece.name)
    for (comment,) in connection.execute(
        f"select comment from duckdb_tables() {where} and lower(table_name) = $name "
        f"union all "
        f"select comment from duckdb_views() {where} and lower(view_name) = $name",
        {"name": piece.name},
    ).fetchall():
        if comment is not None:
            connection.execute(
                f"comment on {piece.kind} {target} is {literal(comment)}"
            )
    for column, comment in connection.execute(
        f"select column_name, comment from duckdb_columns() {where} "
        f"and lower(table_name) = ? and comment is not null",
        [piece.name],
    ).fetchall():
        connection.execute(
            f"comment on column {target}.{identifier(column)} is {literal(comment)}"
        )


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(connection.execute(f"select count(*) from {relation}").fetchall()[0][0])
