"""Publish: what passed every test, in one file, put in place by one rename."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from reelhouse.engines.duckdb import (
    UnreadableWarehouse,
    connect,
    identifier,
    literal,
    telling_damage,
)
from reelhouse.errors import ReelhouseError
from reelhouse.settings import PROJECT

# Readers as old as DuckDB 1.1 open a file of this version.
STORAGE_VERSION = "v1.0.0"

# A string, which is left as it is, or the schema in the name of a relation.
STRING_OR_MARTS = re.compile(
    r"""('(?:[^']|'')*')|(?<![\w."])(?:"?\w+"?\.)?"?marts"?\.""", re.IGNORECASE
)
# Up to the AS of a CREATE VIEW, past comments of columns, which may hold one too.
CREATE_VIEW = re.compile(
    r"""^create\b(?:'(?:[^'\\]|\\.|'')*'|\$\$.*?\$\$|"[^"]*"|(?!\bas\b).)*\bas\b""",
    re.IGNORECASE | re.DOTALL,
)

# All that shapes what is published, but for the rows of the files.
CODE = (
    "dbt_project.yml",
    "locks/run.txt",
    "macros/**/*",
    "models/**/*",
    "profiles.yml",
    "scripts/reelhouse/**/*.py",
    "seeds/**/*",
    "snapshots/**/*",
    "tests/data_tests/**/*",
)


Ask = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Publication:
    """What was published: the build's id, tables and views, and rows in all."""

    version: str
    load_id: int
    tables: int
    rows: int


@dataclass(frozen=True)
class Build:
    """A build that may be published: its id, its load, what passed, and its tables."""

    version: str
    load_id: int
    tests: int
    models: int
    relations: list[Relation]


@dataclass(frozen=True)
class Relation:
    """What a build has to publish: a table or view.

    `ignored_columns` no compare looks at; `key_columns` is empty where no test names a
    key.
    """

    name: str
    kind: str
    ignored_columns: tuple[str, ...]
    key_columns: tuple[str, ...]


def code_of(tree: Path = PROJECT) -> str:
    """The SHA-256 of the names and bytes of all that shapes what is published."""
    found = hashlib.sha256()
    for path in sorted({path for each in CODE for path in tree.glob(each)}):
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            found.update(f"{path.relative_to(tree).as_posix()} {content}\n".encode())
    return found.hexdigest()


def standing_in(database: Path, published: Path, code: str) -> Publication | None:
    """What `standing` says of a warehouse's file and of the published one."""
    if not published.exists():
        return None
    try:
        with (
            closing(connect(database, read_only=True)) as built,
            closing(connect(published, read_only=True)) as shown,
        ):
            return standing(_asking(built), _asking(shown), code)
    except UnreadableWarehouse:
        return None


def standing(built: Ask, published: Ask, code: str) -> Publication | None:
    """What is published, where a whole build of the same code would change nothing.

    So it is where it stems from the newest build, which has seen the newest load, and
    from a run of this `code`.
    """
    has_code = published(
        "select count(*) from information_schema.columns "
        "where lower(table_schema) = 'serving' "
        "and lower(table_name) = 'publication' and lower(column_name) = 'code'"
    )[0][0]
    found = has_code and published("select version, code from serving.publication")
    if not found or found[0][1] != code:
        return None
    try:
        build = qualified_build(built)
    except ReelhouseError:
        return None
    if build.version != found[0][0]:
        return None
    rows = published(
        "select coalesce(sum(row_count), 0) from serving.published_tables "
        "where kind = 'table'"
    )[0][0]
    return Publication(build.version, build.load_id, len(build.relations), int(rows))


def prepare(
    database: Path, to: Path, *, is_part: bool = False, code: str | None = None
) -> Publication:
    """Write the published tables of a warehouse into a new file beside the old one.

    Nobody sees the file until `put_in_place`. `code` is that of a plain run, None where
    the build may have been told other things than the tree says. Raises
    ReelhouseError where the newest build does not qualify; with `is_part`, for a file
    that is compared and never put in place, it may have left nodes out.
    """
    if not database.exists():
        raise ReelhouseError(
            f"{database} is not there, so there is nothing to publish: "
            f"run `reelhouse run` first."
        )
    to.unlink(missing_ok=True)
    connect(database, read_only=True).close()
    connection = connect(Path(":memory:"))
    try:
        with telling_damage(database):
            _attach(connection, database, to)
            connection.execute("use reelhouse")
            build = qualified_build(_asking(connection), is_part)
            connection.execute("create schema published.serving")
            for relation in build.relations:
                if relation.kind == "table":
                    _copy_table(connection, relation.name)
                else:
                    _copy_view(connection, relation.name)
                _copy_comments(connection, relation)
            rows = _describe(connection, build, code)
            connection.execute("use memory")
            connection.execute("checkpoint published")
            connection.execute("detach published")
    except BaseException:
        connection.close()
        to.unlink(missing_ok=True)
        to.with_name(to.name + ".wal").unlink(missing_ok=True)
        raise
    connection.close()
    return Publication(build.version, build.load_id, len(build.relations), rows)


def _asking(connection: duckdb.DuckDBPyConnection) -> Ask:
    return lambda question: connection.execute(question).fetchall()


def put_in_place(prepared: Path, published: Path) -> None:
    """Replace the published file by a prepared one, in one step.

    Who has the old file open goes on reading it; a reader never sees a part.
    """
    with prepared.open("rb") as file:
        os.fsync(file.fileno())
    prepared.replace(published)


def _attach(connection: duckdb.DuckDBPyConnection, database: Path, to: Path) -> None:
    connection.execute(f"attach {literal(database)} as reelhouse (read_only)")
    connection.execute(
        f"attach {literal(to)} as published (storage_version '{STORAGE_VERSION}')"
    )


def qualified_build(ask: Ask, is_part: bool = False) -> Build:
    """The newest build, if it is one of everything, tested, on the newest load.

    Raises ReelhouseError where it does not qualify. With `is_part`, it need not be one
    of everything; that nothing has failed is then the caller's to know.
    """
    advice = "run `reelhouse run`, or a whole `dbt build`, and publish again."
    is_there = ask(
        "select count(*) from information_schema.tables "
        "where lower(table_catalog) = lower(current_database()) "
        "and lower(table_schema) = 'marts' and lower(table_name) = 'builds'"
    )[0][0]
    builds = is_there and ask(
        "select invocation_id, load_id, is_complete, reason, published, "
        "coalesce(tests, 0), coalesce(models, 0) "
        "from marts.builds order by started_at desc, invocation_id limit 1"
    )
    if not builds:
        raise ReelhouseError(f"Nothing has been built yet: {advice}")
    version, load_id, is_complete, reason, published, tests, models = builds[0]
    if not (is_complete or is_part):
        why = reason or "it did not come to its end"
        raise ReelhouseError(
            f"The newest build does not qualify for publishing ({why}): {advice}"
        )
    newest = ask("select coalesce(max(load_id), 0) from raw.loads")[0][0]
    if newest != load_id:
        raise ReelhouseError(
            f"Load {newest} came after the newest build, which saw load {load_id}: "
            f"{advice}"
        )
    relations = [
        Relation(
            each["name"].lower(),
            each["kind"],
            tuple(column.lower() for column in each.get("ignored_columns", ())),
            tuple(column.lower() for column in each.get("key_columns", ())),
        )
        for each in json.loads(published)
    ]
    relations.sort(key=lambda each: each.kind != "table")
    return Build(version, load_id, tests, models, relations)


def _copy_table(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    columns = connection.execute(
        "select column_name, data_type, is_nullable from duckdb_columns() "
        "where database_name = 'reelhouse' and schema_name = 'marts' "
        "and table_name = ? order by column_index",
        [name],
    ).fetchall()
    definition = ", ".join(
        f"{identifier(column)} {data_type}{'' if nullable else ' not null'}"
        for column, data_type, nullable in columns
    )
    connection.execute(
        f"create table published.serving.{identifier(name)} ({definition})"
    )
    copied = connection.execute(
        f"insert into published.serving.{identifier(name)} "
        f"from reelhouse.marts.{identifier(name)}"
    ).fetchall()[0][0]
    there = _count(connection, f"reelhouse.marts.{identifier(name)}")
    if copied != there:
        raise ReelhouseError(
            f"{name} has {there:,} rows, but {copied:,} were copied: nothing is "
            f"published; publish again."
        )


def view_body(text: str, serving: str) -> str:
    """What a view of the marts selects, its relations in `serving`, as `serving.`.

    `text` is the whole CREATE VIEW statement, or what stands behind its AS.
    """
    body = CREATE_VIEW.sub("", text.strip(), count=1).strip().rstrip(";")
    return STRING_OR_MARTS.sub(lambda match: match[1] or serving, body)


def _copy_view(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Make a view anew over the published tables, from its own text."""
    text = connection.execute(
        "select sql from duckdb_views() where database_name = 'reelhouse' "
        "and schema_name = 'marts' and view_name = ?",
        [name],
    ).fetchall()[0][0]
    connection.execute("use published")
    try:
        connection.execute(
            f"create view serving.{identifier(name)} as {view_body(text, 'serving.')}"
        )
    except duckdb.Error as error:
        raise ReelhouseError(
            f"The view {name} cannot be published ({str(error).splitlines()[0]}): "
            f"let it read published tables only."
        ) from error


def _copy_comments(connection: duckdb.DuckDBPyConnection, relation: Relation) -> None:
    source, label = (
        ("duckdb_tables()", "table_name")
        if relation.kind == "table"
        else ("duckdb_views()", "view_name")
    )
    where = "where database_name = 'reelhouse' and schema_name = 'marts'"
    target = f"published.serving.{identifier(relation.name)}"
    for (comment,) in connection.execute(
        f"select comment from {source} {where} and {label} = ? and comment is not null",
        [relation.name],
    ).fetchall():
        connection.execute(f"comment on {relation.kind} {target} is {literal(comment)}")
    for column, comment in connection.execute(
        f"select column_name, comment from duckdb_columns() {where} "
        f"and table_name = ? and comment is not null",
        [relation.name],
    ).fetchall():
        connection.execute(
            f"comment on column {target}.{identifier(column)} is {literal(comment)}"
        )


def _describe(
    connection: duckdb.DuckDBPyConnection, build: Build, code: str | None
) -> int:
    """Say in the file itself what it holds; the rows of all tables."""
    connection.execute(
        "create table published.serving.publication "
        "(version varchar not null, published_at timestamp not null, load_id bigint, "
        "tests bigint not null, models bigint not null, code varchar)"
    )
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    connection.execute(
        "insert into published.serving.publication values (?, ?, ?, ?, ?, ?)",
        [build.version, now, build.load_id, build.tests, build.models, code],
    )
    connection.execute(
        "create table published.serving.published_tables (name varchar not null, "
        "kind varchar not null, row_count bigint not null, ignored_columns varchar, "
        "key_columns varchar)"
    )
    rows = 0
    for relation in build.relations:
        count = _count(connection, f"published.serving.{identifier(relation.name)}")
        rows += count if relation.kind == "table" else 0
        connection.execute(
            "insert into published.serving.published_tables values (?, ?, ?, ?, ?)",
            [
                relation.name,
                relation.kind,
                count,
                ", ".join(relation.ignored_columns),
                ", ".join(relation.key_columns),
            ],
        )
    return rows


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(connection.execute(f"select count(*) from {relation}").fetchall()[0][0])
