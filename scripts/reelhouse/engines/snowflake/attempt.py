"""Snowflake: a run that leaves no trace when it fails, and publishing by one swap."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from reelhouse.contract import entities, ledger_tables
from reelhouse.engines.duckdb.load import connect as duckdb_connect
from reelhouse.engines.duckdb.load import identifier
from reelhouse.engines.snowflake.load import first_line, literal, open_warehouse
from reelhouse.engines.views import refusal
from reelhouse.errors import ReelhouseError
from reelhouse.serving.compare import SUMMARIES, VIEW_LIMIT, measures
from reelhouse.serving.publish import (
    Build,
    Piece,
    Publication,
    descriptions,
    pieces_of,
    publication_of,
    shapes,
    staying,
)

LOCAL_TYPES = {
    "TEXT": "varchar",
    "FLOAT": "double",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP_NTZ": "timestamp",
}
READERS = "serving_read"
UNDO = "raw.undo__run"
LEDGER = "state.nodes"
# Snowflake's word for what is not there, or not for this role.
UNKNOWN_OBJECT = 2003


class Account:
    """The schemas of an account's database, for the length of a run."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._run(sql).fetchall()
        return rows

    def keep(self, built: Mapping[str, str]) -> None:
        """Keep clones of what a run adds to, so that `undo` can put it back.

        That is raw, and what of the dbt tree is not made anew each time: `built` are
        its tables, as schema.table, by unique id.
        """
        self.undo()
        raw = [*entities().values(), *ledger_tables()]
        names: dict[str, str | None] = {f"raw.{table.name}": None for table in raw}
        names |= {table: unique_id for unique_id, table in built.items()}
        names[LEDGER] = None
        there = self._tables()
        self._make_schema("raw")
        for name in names:
            if name in there:
                clone = _clone_of(name)
                self._run(f"create or replace {there[name]} {clone} clone {name}")
        rows = " union all ".join(
            f"select {literal(name)} as name, {literal(there.get(name))} as kind, "
            f"{literal(node)} as node"
            for name, node in names.items()
        )
        self._run(f"create or replace transient table {UNDO} as {rows}")

    def undo(self) -> None:
        """Put back what a run that failed, or was killed, has added to; if it did.

        Of the ledger, the rows of what is put back. The others are right as they are,
        since a build takes out the row of what it is about to make.
        """
        there = self._tables()
        if UNDO not in there:
            return
        for name, kind in self.ask(
            f"select name, kind from {UNDO} where name <> {literal(LEDGER)}"
        ):
            if kind:
                self._run(f"create or replace {kind} {name} clone {_clone_of(name)}")
            else:
                self._run(f"drop table if exists {name}")
        if LEDGER in there:
            put_back = f"node in (select node from {UNDO} where node is not null)"
            self._run(f"delete from {LEDGER} where {put_back}")
            # One that was made anew has no place for rows of the former one.
            if self._columns(_clone_of(LEDGER)) == self._columns(LEDGER):
                self._run(
                    f"insert into {LEDGER} select * from {_clone_of(LEDGER)} "
                    f"where {put_back}"
                )
        self.forget()

    def forget(self) -> None:
        """There is nothing to be undone any more."""
        there = self._tables()
        if UNDO in there:
            names = self.ask(f"select name from {UNDO} where kind is not null")
            self._run(f"drop table {UNDO}")
            for (name,) in names:
                self._run(f"drop table if exists {_clone_of(name)}")

    def drop_history(self, snapshots: Iterable[str]) -> list[int]:
        """Drop the snapshots, to be recorded again; the loads that raw knows."""
        for name in snapshots:
            self._run(f"drop table if exists {name}")
        return [
            int(load_id)
            for (load_id,) in self.ask("select load_id from raw.loads order by load_id")
        ]

    def publish(
        self, build: Build, before_swap: Callable[[], None] = lambda: None
    ) -> Publication:
        """Bring SERVING_NEXT up to date and swap it with SERVING, in one operation.

        It holds what was published before the present version, of which stays what a
        build has not changed. Readers see the old version or the new one. What is
        written is closed to them until just before the swap; views name no schema, so
        that they read the one that they are in.
        """
        for schema in ("serving", "serving_next"):
            self._make_schema(schema)
        has_readers = self._open_to_readers("serving_next", False)
        ((database,),) = self.ask("select current_database()")
        texts = dict(
            self.ask(
                "select lower(table_name), view_definition "
                "from information_schema.views where lower(table_schema) = 'marts'"
            )
        )
        pieces = pieces_of(build, texts, "snowflake", database)
        built = shapes(self.ask, "marts")
        stays = staying(self.ask, "serving_next", pieces, built, self._rows)
        # Whoever is killed from here on leaves nothing that the next one trusts.
        self._run("drop table if exists serving_next.published_tables")
        for kind, name in self._relations("serving_next"):
            if name.lower() not in stays:
                self._run(f"drop {kind} if exists serving_next.{name}")
        new = [piece for piece in pieces if piece.name not in stays]
        for piece in new:
            self._make(piece, is_view=piece.name in texts)
        rows = {**stays, **self._rows([piece.name for piece in new])}
        publication = publication_of(build, pieces, rows)
        for name, select in descriptions(
            publication, build, pieces, rows, literal
        ).items():
            self._run(f"create transient table serving_next.{name} as {select}")
        before_swap()
        if has_readers:
            self._open_to_readers("serving_next", True)
        self._run("alter schema serving_next swap with serving")
        if has_readers:
            self._open_to_readers("serving_next", False)
        return publication

    def _rows(self, names: Collection[str]) -> dict[str, int]:
        """Numbers of rows in SERVING_NEXT."""
        counts = " union all ".join(
            f"select {literal(name)}, count(*) from serving_next.{name}"
            for name in names
        )
        return dict(self.ask(counts)) if counts else {}

    def _make(self, piece: Piece, is_view: bool) -> None:
        """Make a table or view in SERVING_NEXT; `is_view` is one in the marts."""
        name = piece.name
        if not is_view:
            self._run(f"create transient table serving_next.{name} clone marts.{name}")
            return
        columns = ", ".join(
            f"{identifier(column)} comment {literal(comment or '')}"
            for column, comment in self.ask(
                "select column_name, comment from information_schema.columns "
                "where lower(table_schema) = 'marts' "
                f"and lower(table_name) = {literal(name)} order by ordinal_position"
            )
        )
        ((comment,),) = self.ask(
            "select comment from information_schema.views "
            "where lower(table_schema) = 'marts' "
            f"and lower(table_name) = {literal(name)}"
        )
        about = f"comment = {literal(comment or '')}"
        if not piece.view:
            self._run(
                f"create transient table serving_next.{name} {about} "
                f"as select * from marts.{name}"
            )
            self._run(f"alter table serving_next.{name} alter {columns}")
            return
        self._run("use schema serving_next")
        try:
            self._run(
                f"create view serving_next.{name} ({columns}) {about} "
                f"as {piece.view.text}"
            )
        except self.connection.ProgrammingError as error:
            raise refusal(name, first_line(error)) from error

    def _make_schema(self, name: str) -> None:
        # Asked first, since the statement wants a privilege that set-up keeps back.
        if not self.ask(
            "select 1 from information_schema.schemata "
            f"where lower(schema_name) = {literal(name)}"
        ):
            self._run(f"create schema {name}")

    def _open_to_readers(self, schema: str, is_open: bool) -> bool:
        """Let the readers' role use a schema, or not; whether there is such a role."""
        verb, to = ("grant", "to") if is_open else ("revoke", "from")
        try:
            self._run(f"{verb} usage on schema {schema} {to} database role {READERS}")
        except self.connection.ProgrammingError as error:
            if error.errno != UNKNOWN_OBJECT:
                raise
            return False
        return True

    def _tables(self) -> dict[str, str]:
        """Every table as schema.table, with its kind: a transient one stays one.

        Snowflake makes no permanent clone of a transient table.
        """
        rows = self.ask(
            "select lower(table_schema), lower(table_name), is_transient "
            "from information_schema.tables where table_type = 'BASE TABLE'"
        )
        return {
            f"{schema}.{name}": "transient table" if kind == "YES" else "table"
            for schema, name, kind in rows
        }

    def _columns(self, name: str) -> list[str]:
        schema, _, table = name.partition(".")
        rows = self.ask(
            "select lower(column_name) from information_schema.columns "
            f"where lower(table_schema) = {literal(schema)} "
            f"and lower(table_name) = {literal(table)} order by ordinal_position"
        )
        return [name for (name,) in rows]

    def published(self) -> list[str]:
        """Names in SERVING, lower case; ReelhouseError where nothing is published."""
        names = [name.lower() for _, name in self._relations("serving")]
        if "published_tables" not in names:
            raise ReelhouseError(
                "The account has no published tables yet: run `reelhouse run --target "
                "prod` first."
            )
        return names

    def _relations(self, schema: str) -> list[tuple[str, str]]:
        """Kind (table or view) and name of what is in a schema."""
        return self.ask(
            "select 'view', table_name from information_schema.views "
            f"where lower(table_schema) = {literal(schema)} union all "
            "select 'table', table_name from information_schema.tables "
            f"where lower(table_schema) = {literal(schema)} "
            "and table_type = 'BASE TABLE'"
        )

    def _run(self, sql: str) -> Any:
        return self.connection.cursor().execute(sql)


def ask_serving(question: str) -> tuple[list[str], list[tuple[object, ...]]]:
    """Column names (lower case) and rows of one select on SERVING."""
    from snowflake.connector.errors import ProgrammingError

    _check_is_question(question)
    with open_warehouse() as warehouse:
        Account(warehouse.connection).published()
        cursor = warehouse.connection.cursor()
        try:
            cursor.execute("use schema serving")
            cursor.execute(question)
            names = [column.name.lower() for column in cursor.description]
            return names, cursor.fetchall()
        except ProgrammingError as error:
            raise ReelhouseError(
                f"The question cannot be answered ({first_line(error)}): the tables "
                f"are those of `reelhouse query 'select * from published_tables'`."
            ) from error


def _check_is_question(question: str) -> None:
    """Raise ReelhouseError for what is not one select; the role may do more."""
    import sqlglot

    try:
        statements = sqlglot.parse(question, dialect="snowflake")
    except sqlglot.ParseError as error:
        raise ReelhouseError(
            f"The question is not SQL that can be read ({first_line(error)}): write "
            f"one select."
        ) from error
    if len(statements) != 1 or not isinstance(statements[0], sqlglot.exp.Query):
        raise ReelhouseError("Ask one question at a time: write one select.")


def fetch_serving(to: Path, view_limit: int = VIEW_LIMIT) -> None:
    """Write the published tables of the account into a file like the local one.

    Whole numbers are bigint there, whatever their width in the account. Of a view with
    more rows than `view_limit` come its columns and, in schema `summaries`, one row of
    measures. Raises ReelhouseError for a column of a type that no local table has, and
    where the account publishes meanwhile.
    """
    with open_warehouse() as warehouse, closing(duckdb_connect(to)) as file:
        account = Account(warehouse.connection)
        names = account.published()
        version = account.ask("select version from serving.publication")
        file.execute("create schema serving")
        file.execute(f"create schema {SUMMARIES}")
        large_views = {
            name
            for (name,) in account.ask(
                "select name from serving.published_tables "
                f"where kind = 'view' and row_count > {view_limit}"
            )
        }
        for name in names:
            columns = _local_columns(account, name)
            definition = ", ".join(
                f"{identifier(column)} {data_type}"
                for column, data_type in columns.items()
            )
            file.execute(f"create table serving.{identifier(name)} ({definition})")
            fetch = _fetch_measures if name in large_views else _fetch_rows
            fetch(account, file, name, columns)
        if account.ask("select version from serving.publication") != version:
            raise ReelhouseError(
                "The account published anew while its tables were fetched: fetch "
                "them again."
            )


def _local_columns(account: Account, name: str) -> dict[str, str]:
    """DuckDB's types for the columns of a published table, in their order."""
    columns = {}
    for column, data_type, precision, scale in account.ask(
        "select lower(column_name), data_type, numeric_precision, numeric_scale "
        "from information_schema.columns where lower(table_schema) = 'serving' "
        f"and lower(table_name) = {literal(name)} order by ordinal_position"
    ):
        if data_type == "NUMBER":
            columns[column] = f"decimal({precision}, {scale})" if scale else "bigint"
        elif data_type in LOCAL_TYPES:
            columns[column] = LOCAL_TYPES[data_type]
        else:
            raise ReelhouseError(
                f"The account's {name}.{column} is of type {data_type}, which no local "
                f"table has: cast it in the model."
            )
    return columns


def _fetch_rows(
    account: Account, file: DuckDBPyConnection, name: str, columns: dict[str, str]
) -> None:
    cursor = account.connection.cursor()
    cursor.execute(f"select {', '.join(columns)} from serving.{name}")
    # Of no rows the connector makes no Arrow table.
    if cursor.rowcount:
        for batch in cursor.fetch_arrow_batches():
            file.register("fetched", batch)
            file.execute(f"insert into serving.{identifier(name)} from fetched")
            file.unregister("fetched")


def _fetch_measures(
    account: Account, file: DuckDBPyConnection, name: str, columns: dict[str, str]
) -> None:
    found = measures(columns)
    # Over no rows, the empty table gives the measures their types.
    typed = ", ".join(f"{measure} as {identifier(measure)}" for measure in found)
    table = f"{SUMMARIES}.{identifier(name)}"
    file.execute(
        f"create table {table} as select {typed} from serving.{identifier(name)}"
    )
    file.execute(f"delete from {table}")
    ((*values,),) = account.ask(f"select {', '.join(found)} from serving.{name}")
    marks = ", ".join("?" * len(values))
    file.execute(f"insert into {table} values ({marks})", values)


def _clone_of(name: str) -> str:
    schema, _, table = name.partition(".")
    return f"{schema}.undo__{table}"
