"""DuckDB: the raw schema of the local warehouse, and how rows get into it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from reelhouse.contract import Column, Entity, ledger_tables
from reelhouse.engines import raw_schema, warehouse
from reelhouse.engines.duckdb.connection import (
    connect,
    identifier,
    literal,
    path_literal,
    telling_damage,
)
from reelhouse.engines.warehouse import MAX_LINE_BYTES, CsvFile, Reject, Rule

BUFFER_BYTES = 32 << 20
# What a record number, its comma and a line end add to a line of a numbered file.
NUMBER_BYTES = 32


class Dialect:
    """DuckDB's way to write the expressions that rules are made of."""

    def whole_text(self, text: str, pattern: str) -> str:
        return f"regexp_full_match({text}, '{pattern}')"

    def try_cast(self, text: str, data_type: str) -> str:
        return f"try_cast({text} as {data_type})"


class Warehouse(warehouse.Warehouse):
    """An open warehouse file, as `engines.warehouse.Warehouse` describes it."""

    dialect = Dialect()
    elsewhere = "set REELHOUSE_WAREHOUSE to another folder"
    reads_bucket = False

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def make_tables(self) -> None:
        self.connection.execute("create schema if not exists raw")
        found: dict[str, raw_schema.Shape] = {}
        for table_name, name, data_type in self.connection.execute(
            "select table_name, column_name, lower(data_type) from duckdb_columns() "
            "where schema_name = 'raw' and database_name = current_database() "
            "order by table_name, column_index"
        ).fetchall():
            found.setdefault(table_name, {})[name] = data_type
        for table in raw_schema.tables():
            former = found.get(table.name)
            if former is None:
                columns = raw_schema.definitions(table, _declared)
                self.connection.execute(f"create table raw.{table.name} ({columns})")
            elif list(former.items()) != [(c.name, c.data_type) for c in table.columns]:
                raw_schema.check_values(
                    table, former, self.dialect, self._count, self.elsewhere
                )
                for sql in raw_schema.reshaping(table, former, self.dialect, _declared):
                    self.connection.execute(sql)

    def insert_new(
        self,
        entity: Entity,
        csv_file: CsvFile,
        rules: list[Rule],
        file: str,
        load_id: int,
    ) -> int:
        values = ", ".join(
            _typed(column) if column.header else _filled(column, file, load_id)
            for column in entity.columns
        )
        inserted = self._change(
            f"insert into raw.{entity.name} select {values} "
            f"from ({self._records(csv_file, entity)}) "
            f"where {_filter(csv_file, rules)}"
        )
        self.connection.execute("drop table if exists temp.numbered")
        return inserted

    def bad_records(
        self, entity: Entity, csv_file: CsvFile, rules: list[Rule]
    ) -> list[Reject]:
        texts = replace(csv_file, is_exact=False)
        cases = " ".join(
            f"when ({rule.condition}) is not true then {literal(rule.reason)}"
            for rule in rules
        )
        rows = self.connection.execute(
            f"select record_number, reason from ("
            f"select record_number, case {cases} end as reason "
            f"from ({_select(texts, entity, numbered=True)})) "
            f"where reason is not null order by record_number"
        ).fetchall()
        return [Reject(*row) for row in rows]

    def land(self, entity: Entity, csv_file: CsvFile, rules: list[Rule]) -> int:
        values = ", ".join(_typed(column) for column in entity.file_columns)
        number = ", record_number" if entity.has_column("record_number") else ""
        landed = self._change(
            f"create or replace temp table landing as select {values}{number} "
            f"from ({self._records(csv_file, entity)}) "
            f"where {_filter(csv_file, rules)}"
        )
        self.connection.execute("drop table if exists temp.numbered")
        return landed

    def _records(self, csv_file: CsvFile, entity: Entity) -> str:
        """SQL that yields an object's records, numbered where the entity needs it.

        DuckDB numbers rows on one core, but reads a file on all of them into a table,
        whose rows it numbers in the file's order. That table stays, for the SQL.
        """
        if csv_file.is_numbered or not entity.has_column("record_number"):
            return _select(csv_file, entity)
        self.connection.execute(
            f"create or replace temp table numbered as {_select(csv_file, entity)}"
        )
        if self._count(
            "select coalesce(max(rowid) - min(rowid) + 1, 0) - count(*) from numbered"
        ):
            raise AssertionError("the rows of a new table are not numbered on end")
        return (
            "select *, rowid - (select min(rowid) from numbered) + 1 as record_number "
            "from numbered"
        )

    def replace(self, entity: Entity, file: str, load_id: int) -> tuple[int, int]:
        if not self._pair(entity, file, with_places=False):
            self._pair(entity, file, with_places=True)
        removed = self._change(
            f"update raw.{entity.name} set removed_load_id = {load_id} "
            f"where rowid in (select was_rowid from pairs where not is_same)"
        )
        if entity.has_column("record_number"):
            self.connection.execute(
                f"update raw.{entity.name} set record_number = pairs.record_number "
                f"from pairs where raw.{entity.name}.rowid = pairs.was_rowid "
                f"and pairs.is_same and pairs.has_moved"
            )
        values = ", ".join(
            column.name if column.header else _filled(column, file, load_id)
            for column in entity.columns
        )
        new = self._change(
            f"insert into raw.{entity.name} select {values} from landing "
            f"where rowid in (select now_rowid from pairs where not is_same)"
        )
        for table in ("landing", "pairs"):
            self.connection.execute(f"drop table temp.{table}")
        return new, removed

    def _pair(self, entity: Entity, file: str, with_places: bool) -> bool:
        """Pair live rows with landed records; whether each is there just once.

        A pair shares its key, or its content where there is no key, and with
        `with_places` the place among those that do. Places are only needed where
        something is there twice, and numbering them costs more than the rest.
        """
        columns = [column.name for column in entity.file_columns]
        part = list(entity.key) or columns
        number = ["record_number"] if entity.has_column("record_number") else []
        place = (
            f", row_number() over (partition by {', '.join(part)} "
            f"{'order by record_number' if number else ''}) as place"
            if with_places
            else ""
        )
        read = f"select rowid as row_id, {', '.join(columns + number)}{place} from"
        shared = ", ".join(part + ["place"] * with_places)
        same = " and ".join(f"was.{name} = is_now.{name}" for name in columns)
        moved = ", is_now.record_number, was.record_number <> is_now.record_number"
        self.connection.execute(
            f"create or replace temp table pairs as "
            f"select was.row_id as was_rowid, is_now.row_id as now_rowid, "
            f"coalesce({same}, false) as is_same"
            f"{moved + ' as has_moved' if number else ''} "
            f"from ({read} raw.{entity.name} "
            f"where file = ? and removed_load_id is null) as was "
            f"full join ({read} landing) as is_now using ({shared})",
            [file],
        )
        return bool(
            self._count(
                "select count(was_rowid) = (select count(*) from raw."
                f"{entity.name} where file = ? and removed_load_id is null) "
                "and count(now_rowid) = (select count(*) from landing) from pairs",
                file,
            )
        )

    def keep_rejects(
        self,
        entity: Entity,
        file: str,
        load_id: int,
        rejects: Iterable[tuple[Reject, str]],
        scratch: Path,
    ) -> None:
        table = next(table for table in ledger_tables() if table.name == "rejects")
        own = {"file": file, "entity": entity.name, "load_id": load_id}
        with scratch.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
            for reject, text in rejects:
                writer.writerow([reject.record_number, reject.reason, text])
        if not scratch.stat().st_size:
            return
        values = ", ".join(
            literal(own[column.name])
            if column.name in own
            else "null"
            if column.name == "removed_load_id"
            else f"coalesce({column.name}, '')"
            if column.name == "text"
            else column.name
            for column in table.columns
        )
        self.connection.execute(
            f"insert into raw.rejects select {values} from read_csv("
            f"{path_literal(scratch)}, auto_detect = false, header = false, "
            f"delim = ',', quote = '\"', escape = '\"', columns = "
            f"{{record_number: 'bigint', reason: 'varchar', text: 'varchar'}})"
        )

    def keep_raw_alone(self) -> list[int]:
        """Drop every schema but raw; the loads that raw knows, in their order."""
        schemas = self.connection.execute(
            "select distinct schema_name from duckdb_tables() "
            "union select distinct schema_name from duckdb_views() where not internal"
        ).fetchall()
        for (schema,) in schemas:
            if schema != "raw":
                self.connection.execute(f"drop schema {identifier(schema)} cascade")
        return self.load_ids()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.connection.begin()
        try:
            yield
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.commit()

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, values or None).fetchall()

    def _change(self, sql: str, *values: object) -> int:
        return self._count(sql, *values)


def _select(csv_file: CsvFile, entity: Entity, numbered: bool = False) -> str:
    """SQL that yields the file's columns, '' for an empty text.

    With `numbered`, record_number (1 is the line after the header) as well.
    """
    types = {
        column.name: column.data_type if csv_file.is_exact else "varchar"
        for column in entity.file_columns
    }
    values = ", ".join(
        f"coalesce({name}, '') as {name}" if data_type == "varchar" else name
        for name, data_type in types.items()
    )
    number = ""
    if csv_file.is_numbered:
        types = {"record_number": "bigint", **types}
        number = ", record_number"
    elif numbered:
        number = ", row_number() over () as record_number"
    columns = ", ".join(f"{name}: '{types[name]}'" for name in types)
    reading = _reading('"', 0) if csv_file.is_numbered else _reading("", 1)
    return (
        f"select {values}{number} from read_csv({path_literal(csv_file.path)}, "
        f"delim = ',', columns = {{{columns}}}, {reading})"
    )


def _filter(csv_file: CsvFile, rules: list[Rule]) -> str:
    """SQL condition that a record keeps all rules."""
    conditions = [
        f"({rule.condition})"
        for rule in rules
        if not (csv_file.is_exact and rule.is_of_form)
    ]
    return " and ".join(["true", *conditions])


def _reading(quote: str, skip: int) -> str:
    """Options of read_csv that leave nothing to its guesses; lines too long go."""
    longest = MAX_LINE_BYTES + (NUMBER_BYTES if quote else 0)
    return (
        f"auto_detect = false, header = false, skip = {skip}, quote = '{quote}', "
        f"escape = '{quote}', comment = '', ignore_errors = true, "
        f"max_line_size = {longest}, buffer_size = {BUFFER_BYTES}"
    )


@contextmanager
def open_warehouse(path: Path) -> Iterator[Warehouse]:
    """Open the warehouse file for writing, made where missing.

    Raises ReelhouseError where it is in use, damaged, read-only, or written by a
    newer engine.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(path)
    try:
        with telling_damage(path):
            yield Warehouse(connection)
    finally:
        connection.close()


def _declared(column: Column) -> str:
    return column.data_type


def _typed(column: Column) -> str:
    return f"try_cast({column.name} as {column.data_type}) as {column.name}"


def _filled(column: Column, file: str, load_id: int) -> str:
    """The value of a column that the loader fills in."""
    values = {
        "file": literal(file),
        "load_id": str(load_id),
        "removed_load_id": "null",
    }
    return values.get(column.name, column.name)
