"""What the loader needs from any engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from reelhouse.contract import Column, Entity, Table, entities, ledger_tables
from reelhouse.errors import ReelhouseError

# A longer record (in bytes, without its line break) is rejected.
MAX_LINE_BYTES = 65_536
# How much of a rejected record's text is kept.
MAX_TEXT_BYTES = 4_096
CUT = f" … (cut after {MAX_TEXT_BYTES} bytes)"
# Columns beside the texts of a record: what is wrong with its form, how to show it, and
# why it is rejected.
FAULT, TEXT, REASON = "line_fault", "line_text", "line_reason"

# How many rejects are named if a file is refused because of them.
SHOWN_REJECTS = 3

# The error message for a question that is not one select.
ONE_SELECT = "Ask one question at a time: write one select."
# Limits of a question: rows and characters of its answer, and seconds.
MOST_ROWS, MOST_TEXT, MOST_SECONDS = 200_000, 100_000_000, 120

# Runs a query and returns its rows.
Ask = Callable[[str], list[tuple[Any, ...]]]
Lasting = Callable[[], Mapping[str, str]]
# The column names of an answer, in lower case from Snowflake, and its rows.
Answer = tuple[list[str], list[tuple[Any, ...]]]
Answering = Callable[[str], Answer]


OF_OBJECTS = "file, entity, etag, sha256, size_bytes, records, rows_rejected, load_id"

# The types of a table's columns by name, in column order.
Shape = dict[str, str]
# Values for columns that older rows were written without; other columns get null.
FORMER = {
    "load_key": "md5(cast(load_id as varchar) || ' ' || cast(loaded_at as varchar))"
}


# For each relation by name: whether it is a table or a view, and its columns with name
# and type as the information schema has them, with precision and scale.
Shapes = dict[str, tuple[str, list[tuple[Any, ...]]]]


def either_case(name: str) -> str:
    """A name in lower and upper case, for SQL's `in`: each engine stores one of them.

    If a query applies a function to names instead, Snowflake reads all of them.
    """
    return f"('{name.lower()}', '{name.upper()}')"


def shapes_in(ask: Ask, schema: str) -> Shapes:
    """The relations of a schema, with names in lower case."""
    found: Shapes = {}
    for name, kind, *column in ask(
        "select lower(table_name), case table_type when 'BASE TABLE' then 'table' else "
        "'view' end, lower(column_name), data_type, numeric_precision, numeric_scale "
        "from information_schema.columns left join information_schema.tables "
        "using (table_catalog, table_schema, table_name) "
        "where table_catalog = current_database() "
        f"and table_schema in {either_case(schema)} "
        "order by table_name, ordinal_position"
    ):
        found.setdefault(name, (kind, []))[1].append(tuple(column))
    return found


class ChangedByHand(ReelhouseError):
    """A raw table's rows do not match what the loads brought; `counts` says how."""

    def __init__(self, counts: str, way_back: str) -> None:
        super().__init__(f"{counts}, so it was changed by hand: {way_back}.")
        self.counts = counts


class CannotAnswer(ReelhouseError):
    """A question that an engine refuses or cannot answer; the message says why."""


def bounded(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return the rows of an answer; raise CannotAnswer if they exceed the limits."""
    if len(rows) > MOST_ROWS:
        raise CannotAnswer(f"it has more than {MOST_ROWS:,} rows, so add a limit")
    held = (str, bytes, list, tuple, dict)
    texts = (value for row in rows for value in row if isinstance(value, held))
    if sum(len(str(value)) for value in texts) > MOST_TEXT:
        raise CannotAnswer(
            f"it has more than {MOST_TEXT:,} characters, so ask for fewer columns or "
            f"rows, or for a part of each text"
        )
    return rows


@dataclass(frozen=True)
class ObjectState:
    """What the ledger knows of an object; `sha256` is None if none of it was loaded.

    `contract` is the one by which its rows and rejects were judged, None if unknown.
    `future_epoch` is the earliest of the times for which a record was rejected as being
    in the future, None if there is none.
    """

    entity: str
    etag: str
    sha256: str | None
    refused_sha256: str | None
    contract: str | None
    future_epoch: int | None = None


@dataclass(frozen=True)
class LedgerEntry:
    """What one load did to one object; the counts are records and rows."""

    load_id: int
    file: str
    entity: str
    etag: str
    sha256: str | None
    status: str
    size_bytes: int = 0
    records: int = 0
    rows_loaded: int = 0
    rows_new: int = 0
    rows_rejected: int = 0
    rows_removed: int = 0


@dataclass(frozen=True)
class CsvFile:
    """A local CSV file to read: as delivered, or rewritten by `records.rewrite`.

    If `is_exact`, it may be read with types instead of as text, because that changes no
    value. `key` is the key of the object that the file holds as delivered.
    """

    path: Path
    is_rewritten: bool
    is_exact: bool = False
    key: str | None = None


class Warehouse(ABC):
    """The raw tables, open for a load, which is one transaction.

    The ledger, in which the loader records its own work, is the same on every engine.
    """

    # Advice for messages: how to use another warehouse, and how to restore raw rows.
    elsewhere: str
    way_back: str
    # The clause that follows the table's name in `create or replace table`.
    replacing = ""
    # The cached result of `shapes`, until a table is created or changed.
    known_shapes: dict[str, Shape] | None = None

    @property
    @abstractmethod
    def reads_bucket(self) -> bool:
        """Whether it may read objects in the bucket once they are checked here."""

    @abstractmethod
    def whole_text(self, text: str, pattern: str) -> str:
        """SQL: the whole text matches a regular expression."""

    @abstractmethod
    def try_cast(self, text: str, data_type: str) -> str:
        """SQL: the text as a value of the type, null if it is not one."""

    @abstractmethod
    def literal(self, text: str) -> str:
        """A text as a SQL literal."""

    def shapes(self) -> dict[str, Shape]:
        """The raw tables that exist, with the types of their columns."""
        if self.known_shapes is None:
            self.known_shapes = {
                table: {name: self.declared_type(*told) for name, *told in columns}
                for table, (_, columns) in shapes_in(self._rows, "raw").items()
            }
        return self.known_shapes

    def declared_type(self, data_type: str, precision: int, scale: int) -> str:  # noqa: ARG002
        """How a declaration names a type of the information schema."""
        return data_type.lower()

    def data_type(self, column: Column) -> str:
        """The engine's name for the type of a declared column."""
        return column.data_type

    def known_type(self, data_type: str) -> str:
        """How `shapes` names a declared type."""
        return data_type

    def known_objects(self) -> dict[str, ObjectState] | None:
        """The result of `objects` before the transaction begins.

        None if existing raw tables are not as declared.
        """
        found = self.shapes()
        if not found:
            return {}
        is_as_declared = all(
            self.is_as_declared(table, found.get(table.name, {}))
            for table in raw_tables()
        )
        return self.objects() if is_as_declared else None

    def is_as_declared(self, table: Table, former: Shape) -> bool:
        return [*former.items()] == [
            (column.name, self.known_type(column.data_type)) for column in table.columns
        ]

    def make_tables(self) -> None:
        """Create the raw tables as declared, or change existing ones to match.

        Their rows are kept. Raises ReelhouseError if a value would change; then no
        table has been changed.
        """
        found = self.shapes()
        differing = {}
        for table in raw_tables():
            former = found.get(table.name)
            if not former:
                columns = ", ".join(
                    f"{column.name} {self.data_type(column)}"
                    for column in table.columns
                )
                self._rows(f"create table if not exists raw.{table.name} ({columns})")
            elif not self.is_as_declared(table, former):
                self._check_values(table, former)
                differing[table] = former
        for table, former in differing.items():
            for sql in self.reshaping(table, former):
                self._rows(sql)
        if differing or any(table.name not in found for table in raw_tables()):
            self.known_shapes = None

    def _check_values(self, table: Table, found: Shape) -> None:
        """Raise ReelhouseError unless all values can be cast to the type and back."""
        for column in table.columns:
            former = found.get(column.name, column.data_type)
            if former == column.data_type:
                continue
            back = self._cast(self._cast(column.name, column.data_type), former)
            rows = self._count(
                f"select count(*) from raw.{table.name} where {column.name} is not "
                f"null and not coalesce({back} = {column.name}, false)"
            )
            if rows:
                raise ReelhouseError(
                    f"{column.name} in raw.{table.name} cannot be converted to "
                    f"{column.data_type} without changing {rows:,} of the rows, "
                    f"removed ones included: keep the type {former} in models/staging, "
                    f"or {self.elsewhere}."
                )

    def reshaping(self, table: Table, found: Shape) -> Iterator[str]:
        """Yield statements that give a table its declared columns and keep its rows.

        Its objects have to be judged again, because a new column has no values yet.
        """
        if isinstance(table, Entity):
            yield (
                f"update raw.objects set contract = null where entity = '{table.name}'"
            )
        values = []
        for column in table.columns:
            value = column.name
            if column.name not in found:
                value = FORMER.get(column.name, "null")
            elif found[column.name] != column.data_type:
                value = self._cast(column.name, column.data_type)
            values.append(f"cast({value} as {self.data_type(column)}) as {column.name}")
        yield (
            f"create or replace table raw.{table.name}{self.replacing} "
            f"as select {', '.join(values)} from raw.{table.name}"
        )

    def _cast(self, value: str, data_type: str) -> str:
        # Cast through text: a double's text has no more digits than it was made of, and
        # Snowflake's try_cast accepts only text.
        return self.try_cast(f"cast({value} as varchar)", data_type)

    @abstractmethod
    def transaction(self, touched: Collection[str]) -> AbstractContextManager[None]:
        """Create the raw tables; commit at the end, or roll everything back.

        `touched` names the entities whose objects may be loaded or removed.
        """

    @abstractmethod
    def read(self, entity: Entity, csv_file: CsvFile) -> str:
        """SQL that returns the records of a file, in the form for `rules.why_bad`.

        They have a record_number (1 is the line after the header) if the entity's table
        has one. Records with another number of columns may be left out.
        """

    @abstractmethod
    def read_again(self, entity: Entity, csv_file: CsvFile) -> str:
        """SQL that returns the records of the file that was read last.

        All values are text, and all records have a record_number.
        """

    @abstractmethod
    def land(self, entity: Entity, csv_file: CsvFile, why_bad: str) -> int:
        """Store the good records of an object for a comparison; return their number."""

    @abstractmethod
    def replace(self, entity: Entity, file: str, load_id: int) -> tuple[int, int]:
        """Replace the object's live rows by the landed records; return (new, removed).

        Unchanged rows keep their load, rows that are gone are marked, and new ones are
        inserted. If a later record overrules an earlier one with the same key, the
        position among the records of that key is part of a row's identity.
        """

    @abstractmethod
    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query and return its rows; each ? stands for a value."""

    @abstractmethod
    def _change(self, sql: str, *values: object) -> int:
        """Run a statement that changes rows; return how many."""

    def _count(self, sql: str, *values: object) -> int:
        """Run a query that returns one number."""
        ((count,),) = self._rows(sql, *values)
        return int(count or 0)

    def source(self) -> str | None:
        """The source that the warehouse belongs to; None before the first load."""
        if "loads" not in self.shapes():
            return None
        rows = self._rows("select source from raw.loads order by load_id limit 1")
        return str(rows[0][0]) if rows else None

    def newest_load(self) -> tuple[int, datetime | None]:
        """The greatest number and time of a load; 0 and None before the first.

        Loads that only state.nodes records count too: the raw tables may have been
        restored to an earlier state.
        """
        # Columns that the role may not read are not listed.
        columns = self._count(
            "select count(*) from information_schema.columns where table_catalog = "
            "current_database() and table_schema in ('state', 'STATE') and table_name "
            "in ('nodes', 'NODES') and lower(column_name) in ('load_id', 'loaded_at')"
        )
        known = "select load_id, loaded_at from raw.loads"
        if columns == 2:
            known += " union all select load_id, loaded_at from state.nodes"
        ((load_id, loaded_at),) = self._rows(
            f"select coalesce(max(load_id), 0), max(loaded_at) from ({known}) as known"
        )
        return int(load_id), loaded_at

    def newest_delivery(self) -> str | None:
        """The folder of the newest delivery that is loaded; None before the first."""
        if self.source() is None:
            return None
        # A ledger without this column knows only the delivery in no folder.
        if "delivery" not in self.shapes()["loads"]:
            return ""
        rows = self._rows("select coalesce(max(delivery), '') from raw.loads")
        return str(rows[0][0])

    def load_ids(self) -> list[int]:
        """The numbers of all loads, in order."""
        rows = self._rows("select load_id from raw.loads order by load_id")
        return [int(load_id) for (load_id,) in rows]

    def objects(self) -> dict[str, ObjectState]:
        """The ledger's state of live objects, by file."""
        rows = self._rows(
            "select objects.file, objects.entity, objects.etag, objects.sha256, "
            "objects.refused_sha256, objects.contract, early.epoch "
            "from raw.objects as objects left join (select file, "
            "min(future_epoch) as epoch from raw.rejects "
            "where removed_load_id is null group by file) as early "
            "on objects.file = early.file"
        )
        return {row[0]: ObjectState(*row[1:]) for row in rows}

    def live_rows(self) -> dict[str, int]:
        """The number of live rows of each entity.

        Raises ChangedByHand if a table has more or fewer rows than the ledger says.
        """

        def counts(table: str, brought: str, left: str, where: str = "") -> str:
            return (
                f"select '{table}', count(*), count(*) - count(removed_load_id), "
                f"(select coalesce(sum({brought}), 0) from raw.load_objects{where}), "
                f"(select coalesce(sum({left}), 0) from raw.objects{where}) "
                f"from raw.{table}"
            )

        counted = []
        for name in entities():
            left, of = "records - rows_rejected", f" where entity = '{name}'"
            counted.append(counts(name, "rows_new", left, of))
        counted.append(counts("rejects", "rows_rejected", "rows_rejected"))
        live_rows = {}
        for table, held, live, brought, left in self._rows(" union all ".join(counted)):
            if (held, live) != (brought, left):
                raise ChangedByHand(
                    f"raw.{table} has {live:,} current and {held - live:,} removed "
                    f"rows, but the loads account for {left:,} and {brought - left:,}",
                    self.way_back,
                )
            live_rows[table] = live
        del live_rows["rejects"]
        return live_rows

    def insert_new(
        self, entity: Entity, csv_file: CsvFile, why_bad: str, file: str, load_id: int
    ) -> int:
        """Insert the good records of an object without live rows; return how many."""
        values = ", ".join(
            self._typed(column)
            if column.header
            else self._filled(column, file, load_id)
            for column in entity.columns
        )
        return self._change(
            f"insert into raw.{entity.name} ({names(entity.columns)}) select {values} "
            f"from ({self.read(entity, csv_file)}) as records where ({why_bad}) is null"
        )

    def insert_rejects(
        self,
        entity: Entity,
        csv_file: CsvFile,
        why_bad: str,
        future_epoch: str,
        file: str,
        load_id: int,
    ) -> int:
        """Insert the bad records of the file that was read last; return how many.

        They are kept with their text, unchanged if the file is read as delivered.
        """
        joined = " || ',' || ".join(column.name for column in entity.file_columns)
        text = (
            f"case when {FAULT} <> '' or {TEXT} <> '' then coalesce({TEXT}, '') "
            f"when length({joined}) > {MAX_TEXT_BYTES} "
            f"then left({joined}, {MAX_TEXT_BYTES}) || '{CUT}' else {joined} end"
        )
        own = f"{self.literal(file)}, {self.literal(entity.name)}"
        return self._change(
            f"insert into raw.rejects (file, entity, record_number, reason, text, "
            f"future_epoch, load_id) select {own}, record_number, {REASON}, {text}, "
            f"{future_epoch}, {load_id} from (select *, {why_bad} as {REASON} "
            f"from ({self.read_again(entity, csv_file)}) as records) as judged "
            f"where {REASON} is not null"
        )

    def undo(self, entity: Entity, file: str, load_id: int) -> None:
        """Delete the rows and rejects of an object that this load inserted."""
        for table in (entity.name, "rejects"):
            self._change(
                f"delete from raw.{table} where file = ? and load_id = ?", file, load_id
            )

    def remove(self, table: str, file: str, load_id: int) -> int:
        """Mark an object's live rows of earlier loads as removed; return how many."""
        return self._change(
            f"update raw.{table} set removed_load_id = ? "
            f"where file = ? and load_id < ? and removed_load_id is null",
            load_id,
            file,
            load_id,
        )

    def lost(self, entity: Entity, load_id: int) -> int:
        """How many rows a load removed without replacing them.

        A replacement has the same key or, without a key, the same content, in any
        object.
        """
        part = ", ".join(entity.key or [column.name for column in entity.file_columns])
        gone = f"removed_load_id = {load_id}"
        return self._count(
            f"select sum(case when gone > come then gone - come else 0 end) from ("
            f"select sum(case when {gone} then 1 else 0 end) as gone, "
            f"sum(case when {gone} then 0 else 1 end) as come from raw.{entity.name} "
            f"where {gone} or load_id = {load_id} group by {part}) as changes"
        )

    def reject_reasons(self, file: str, load_id: int) -> dict[str, int]:
        """How many records of an object a load rejected by reason, largest first."""
        rows = self._rows(
            "select reason, count(*) from raw.rejects where file = ? and load_id = ? "
            "group by reason order by count(*) desc, reason",
            file,
            load_id,
        )
        return {reason: int(count) for reason, count in rows}

    def first_rejects(self, file: str, load_id: int) -> list[tuple[int, str]]:
        """Number and reason of the first records of an object that a load rejected."""
        rows = self._rows(
            "select record_number, reason from raw.rejects where file = ? "
            f"and load_id = ? order by record_number limit {SHOWN_REJECTS}",
            file,
            load_id,
        )
        return [(int(number), reason) for number, reason in rows]

    def has_same_rejects(self, file: str) -> bool:
        """Whether all live rejects of an object exist twice, from two loads."""
        return not self._count(
            "select count(*) from (select record_number from raw.rejects "
            "where file = ? and removed_load_id is null "
            "group by record_number, reason having count(*) = 1) as differing",
            file,
        )

    def _typed(self, column: Column) -> str:
        value = self.try_cast(column.name, column.data_type)
        return f"{value} as {column.name}"

    def _filled(self, column: Column, file: str, load_id: int) -> str:
        """The value of a column that the loader fills in."""
        values = {
            "file": self.literal(file),
            "load_id": str(load_id),
            "removed_load_id": "null",
        }
        return values.get(column.name, column.name)

    def record(self, entry: LedgerEntry) -> None:
        """Record in the ledger what this load did to an object."""
        values = vars(entry)
        marks = ", ".join("?" * len(values))
        self._change(
            f"insert into raw.load_objects ({', '.join(values)}) select {marks}",
            *values.values(),
        )
        if entry.status == "refused":
            self._record_refusal(entry)
            return
        self._change("delete from raw.objects where file = ?", entry.file)
        if entry.status != "removed":
            self._change(
                f"insert into raw.objects ({OF_OBJECTS}, contract) "
                f"select {OF_OBJECTS}, ? from raw.load_objects "
                f"where load_id = ? and file = ?",
                entities()[entry.entity].contract,
                entry.load_id,
                entry.file,
            )

    def _record_refusal(self, entry: LedgerEntry) -> None:
        known = self._change(
            "update raw.objects set refused_sha256 = ?, etag = ? where file = ?",
            entry.sha256,
            entry.etag,
            entry.file,
        )
        if not known:
            self._change(
                "insert into raw.objects (file, entity, etag, size_bytes, records, "
                "rows_rejected, refused_sha256, load_id, contract) "
                "select ?, ?, ?, 0, 0, 0, ?, ?, ?",
                *(entry.file, entry.entity, entry.etag, entry.sha256, entry.load_id),
                entities()[entry.entity].contract,
            )

    def record_load(
        self,
        load_id: int,
        load_key: str,
        source: str,
        loaded_at: datetime,
        delivery: str,
    ) -> None:
        """Record a load in the ledger."""
        self._change(
            "insert into raw.loads (load_id, load_key, source, loaded_at, delivery) "
            "select ?, ?, ?, cast(? as datetime), ?",
            *(load_id, load_key, source, loaded_at.isoformat(sep=" "), delivery),
        )

    def record_listing(self, listed_at: datetime, objects: int) -> None:
        """Record when the source was last listed, and how many objects it had."""
        values = (listed_at.isoformat(sep=" "), objects)
        # Update first, so that a run that finds nothing new sends one statement.
        if not self._change(
            "update raw.listings set listed_at = cast(? as datetime), objects = ?",
            *values,
        ):
            self._change(
                "insert into raw.listings (listed_at, objects) "
                "select cast(? as datetime), ?",
                *values,
            )

    def note(self, file: str, etag: str, contract: str | None) -> None:
        """Record ETag and contract of an object that was checked and is unchanged."""
        self._change(
            "update raw.objects set etag = ?, contract = ? where file = ?",
            *(etag, contract, file),
        )


def raw_tables() -> list[Table]:
    """Every raw table, with those of the ledger first."""
    return [*ledger_tables(), *entities().values()]


def names(columns: Iterable[Column]) -> str:
    """The names of columns, separated by commas."""
    return ", ".join(column.name for column in columns)
