"""DuckDB: the raw schema of the local warehouse, and how rows get into it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from reelhouse.contract import Entity
from reelhouse.engines import warehouse
from reelhouse.engines.duckdb.connection import (
    connect,
    identifier,
    literal,
    path_literal,
    telling_damage,
)
from reelhouse.engines.warehouse import FAULT, MAX_LINE_BYTES, TEXT, CsvFile

BUFFER_BYTES = 32 << 20
# If a replaced file has more records, they are paired with the old ones in parts, since
# a join holds all of its rows in memory.
PAIRED_AT_ONCE = 8_000_000


class Warehouse(warehouse.Warehouse):
    """An open warehouse file, as `engines.warehouse.Warehouse` describes it."""

    elsewhere = "set REELHOUSE_WAREHOUSE to another folder"
    way_back = (
        "`reelhouse run --rebuild` restores all raw rows from the backup or, if it has "
        "none, from the source, and moves this file aside"
    )
    reads_bucket = False

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        # Called before the first change that a run may have to undo.
        self.before_changes: Callable[[], None] = lambda: None

    def whole_text(self, text: str, pattern: str) -> str:
        return f"regexp_full_match({text}, '{pattern}')"

    def try_cast(self, text: str, data_type: str) -> str:
        return f"try_cast({text} as {data_type})"

    def literal(self, text: str) -> str:
        return literal(text)

    def make_tables(self) -> None:
        self.connection.execute("create schema if not exists raw")
        super().make_tables()

    def read(self, entity: Entity, csv_file: CsvFile) -> str:
        self.connection.execute("drop table if exists temp.numbered")
        # DuckDB numbers rows on one core, but uses all cores to read a file into a
        # table, whose rowids follow the file's order.
        if csv_file.is_rewritten or not entity.has_column("record_number"):
            return _select(csv_file, entity)
        self.connection.execute(
            f"create temp table numbered as {_select(csv_file, entity)}"
        )
        if self._count(
            "select coalesce(max(rowid) - min(rowid) + 1, 0) - count(*) from numbered"
        ):
            raise AssertionError("the rows of a new table are not numbered on end")
        return (
            "select *, rowid - (select min(rowid) from numbered) + 1 as record_number "
            "from numbered"
        )

    def read_again(self, entity: Entity, csv_file: CsvFile) -> str:
        select = _select(replace(csv_file, is_exact=False), entity)
        if csv_file.is_rewritten:
            return select
        return f"select *, row_number() over () as record_number from ({select})"

    def land(self, entity: Entity, csv_file: CsvFile, why_bad: str) -> int:
        values = ", ".join(self._typed(column) for column in entity.file_columns)
        number = ", record_number" if entity.has_column("record_number") else ""
        return self._change(
            f"create or replace temp table landing as select {values}{number} "
            f"from ({self.read(entity, csv_file)}) where ({why_bad}) is null"
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
            column.name if column.header else self._filled(column, file, load_id)
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
        """Pair live rows with landed records; return whether each is in only one pair.

        Pairs share the key, or the content if there is no key, and `with_places` also
        the position among rows that do. Positions are only needed if there are
        duplicates, and numbering them costs more than the rest.
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
        create = "create or replace temp table pairs as"
        parts = 1 + self._count("select count(*) from landing") // PAIRED_AT_ONCE
        for turn in range(parts):
            some = f"hash({', '.join(part)}) % {parts} = {turn}"
            self.connection.execute(
                f"{'insert into pairs' if turn else create} "
                f"select was.row_id as was_rowid, is_now.row_id as now_rowid, "
                f"coalesce({same}, false) as is_same"
                f"{moved + ' as has_moved' if number else ''} "
                f"from ({read} raw.{entity.name} "
                f"where file = ? and removed_load_id is null and {some}) as was "
                f"full join ({read} landing where {some}) as is_now using ({shared})",
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

    def keep_raw_alone(self) -> list[int]:
        """Drop every schema but raw; return the numbers of raw's loads, in order."""
        schemas = self.connection.execute(
            "select distinct schema_name from duckdb_tables() "
            "union select distinct schema_name from duckdb_views() where not internal"
        ).fetchall()
        for (schema,) in schemas:
            if schema != "raw":
                self.connection.execute(f"drop schema {identifier(schema)} cascade")
        return self.load_ids()

    @contextmanager
    def transaction(self, touched: Collection[str]) -> Iterator[None]:
        if touched:
            self.before_changes()
        with self.atomic():
            if touched:
                self.make_tables()
            yield

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Commit at the end of the block, or roll everything back."""
        self.connection.begin()
        try:
            yield
        except BaseException:
            self.connection.rollback()
            self.known_shapes = None
            raise
        self.connection.commit()

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, values or None).fetchall()

    def _change(self, sql: str, *values: object) -> int:
        return self._count(sql, *values)


def _select(csv_file: CsvFile, entity: Entity) -> str:
    """SQL that yields the records of a file, '' for an empty text."""
    types = {
        column.name: column.data_type if csv_file.is_exact else "varchar"
        for column in entity.file_columns
    }
    values = [
        f"coalesce({name}, '') as {name}" if data_type == "varchar" else name
        for name, data_type in types.items()
    ]
    if csv_file.is_rewritten:
        own = {"record_number": "bigint", FAULT: "varchar", TEXT: "varchar"}
        types = own | types
        values += own
        quote, skip, longest = '"', 0, 2 * MAX_LINE_BYTES
    else:
        values += [f"'' as {FAULT}", f"'' as {TEXT}"]
        quote, skip, longest = "", 1, MAX_LINE_BYTES
    columns = ", ".join(f"{name}: '{types[name]}'" for name in types)
    # Nothing is left to be guessed; lines that are too long are skipped.
    return (
        f"select {', '.join(values)} from read_csv({path_literal(csv_file.path)}, "
        f"delim = ',', columns = {{{columns}}}, auto_detect = false, header = false, "
        f"skip = {skip}, quote = '{quote}', escape = '{quote}', comment = '', "
        f"ignore_errors = true, max_line_size = {longest}, "
        f"buffer_size = {BUFFER_BYTES})"
    )


@contextmanager
def open_warehouse(path: Path) -> Iterator[Warehouse]:
    """Open the warehouse file for writing; it is created if missing.

    Raises ReelhouseError if it is in use, damaged, read-only, or written by a newer
    engine.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    warehouse = Warehouse(connect(path))
    try:
        with telling_damage(path):
            yield warehouse
    finally:
        warehouse.connection.close()
