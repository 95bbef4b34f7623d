"""Snowflake: a run that leaves no trace when it fails, and publishing by one swap."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from reelhouse.compare import SUMMARIES, VIEW_LIMIT, measures
from reelhouse.contract import entities, ledger_tables
from reelhouse.engines.duckdb import connect as duckdb_connect
from reelhouse.engines.duckdb import identifier
from reelhouse.engines.snowflake import first_line, literal, open_warehouse
from reelhouse.errors import ReelhouseError
from reelhouse.publish import Build, Publication, Relation, qualified_build, view_body

LOCAL_TYPES = {
    "TEXT": "varchar",
    "FLOAT": "double",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP_NTZ": "timestamp",
}
READERS = "serving_read"
UNDO = "raw.undo__run"
# Snowflake's word for what is not there, or not for this role.
UNKNOWN_OBJECT = 2003


class Account:
    """The schemas of an account's database, for the length of a run."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._run(sql).fetchall()
        return rows

    def keep(self, built: Iterable[str]) -> None:
        """Keep clones of what a run adds to, so that `undo` can put it back.

        That is raw, and what of the dbt tree is not made anew each time: `built` are
        its tables, as schema.table.
        """
        self.undo()
        raw = [*entities().values(), *ledger_tables()]
        names = [*(f"raw.{table.name}" for table in raw), *built, "marts.builds"]
        there = self._tables()
        self._make_schema("raw")
        for name in names:
            if name in there:
                clone = _clone_of(name)
                self._run(f"create or replace {there[name]} {clone} clone {name}")
        rows = " union all ".join(
            f"select {literal(name)} as name, {literal(there.get(name))} as kind"
            for name in names
        )
        self._run(f"create or replace transient table {UNDO} as {rows}")

    def undo(self) -> None:
        """Put back what a run that failed, or was killed, has added to; if it did."""
        there = self._tables()
        if UNDO not in there:
            return
        for name, kind in self.ask(f"select name, kind from {UNDO}"):
            if kind:
                self._run(f"create or replace {kind} {name} clone {_clone_of(name)}")
            else:
                self._run(f"drop table if exists {name}")
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
        self,
        before_swap: Callable[[], None] = lambda: None,
        code: str | None = None,
    ) -> Publication:
        """Fill SERVING_NEXT and swap it with SERVING, in a single operation.

        Readers see the old version or the new one. What is filled is closed to them
        until just before the swap; views name no schema, so that they read the one
        that they are in. `code` is that of a plain run, as `publish.prepare` has it.
        Raises ReelhouseError where the newest build does not qualify.
        """
        build = qualified_build(self.ask)
        for schema in ("serving", "serving_next"):
            self._make_schema(schema)
        has_readers = self._open_to_readers("serving_next", False)
        for kind, name in self._relations("serving_next"):
            self._run(f"drop {kind} serving_next.{name}")
        for relation in build.relations:
            if relation.kind == "table":
                self._run(
                    f"create transient table serving_next.{relation.name} "
                    f"clone marts.{relation.name}"
                )
            else:
                self._copy_view(relation)
        rows = self._describe(build, code)
        before_swap()
        if has_readers:
            self._open_to_readers("serving_next", True)
        self._run("alter schema serving_next swap with serving")
        if has_readers:
            self._open_to_readers("serving_next", False)
        return Publication(build.version, build.load_id, len(build.relations), rows)

    def _copy_view(self, relation: Relation) -> None:
        ((text, comment),) = self.ask(
            "select view_definition, comment from information_schema.views "
            "where lower(table_schema) = 'marts' "
            f"and lower(table_name) = {literal(relation.name)}"
        )
        columns = ", ".join(
            f"{name} comment {literal(said or '')}"
            for name, said in self.ask(
                "select column_name, comment from information_schema.columns "
                "where lower(table_schema) = 'marts' "
                f"and lower(table_name) = {literal(relation.name)} "
                "order by ordinal_position"
            )
        )
        self._run("use schema serving_next")
        try:
            self._run(
                f"create view serving_next.{relation.name} ({columns}) "
                f"comment = {literal(comment or '')} as {view_body(text, '')}"
            )
        except self.connection.ProgrammingError as error:
            raise ReelhouseError(
                f"The view {relation.name} cannot be published ({first_line(error)}): "
                f"let it read published tables only."
            ) from error

    def _describe(self, build: Build, code: str | None) -> int:
        """Say in the schema itself what it holds; the rows of all tables."""
        now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        self._run(
            "create transient table serving_next.publication as select "
            f"cast({literal(build.version)} as varchar) as version, "
            f"cast({literal(now)} as timestamp_ntz) as published_at, "
            f"cast({build.load_id} as bigint) as load_id, "
            f"cast({build.tests} as bigint) as tests, "
            f"cast({build.models} as bigint) as models, "
            f"cast({literal(code)} as varchar) as code"
        )
        counts = " union all ".join(
            f"select {literal(relation.name)} as name, "
            f"{literal(relation.kind)} as kind, count(*) as row_count, "
            f"{literal(', '.join(relation.ignored_columns))} as ignored_columns, "
            f"{literal(', '.join(relation.key_columns))} as key_columns "
            f"from serving_next.{relation.name}"
            for relation in build.relations
        )
        self._run(f"create transient table serving_next.published_tables as {counts}")
        return int(
            self.ask(
                "select coalesce(sum(row_count), 0) from serving_next.published_tables "
                "where kind = 'table'"
            )[0][0]
        )

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
