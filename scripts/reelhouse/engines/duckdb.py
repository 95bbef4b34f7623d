"""DuckDB: the raw schema of the local warehouse, and how rows get into it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from reelhouse.contract import Column, Entity, Table, entities, ledger_tables
from reelhouse.errors import ReelhouseError
from reelhouse.records import MAX_LINE_BYTES, Reject
from reelhouse.rules import Rule

BUFFER_BYTES = 32 << 20


class UnreadableWarehouse(ReelhouseError):
    """The file is there, but no DuckDB file that this engine can read."""


@dataclass(frozen=True)
class ObjectState:
    """What the ledger knows of an object; no `sha256` where none of it was loaded."""

    entity: str
    etag: str
    sha256: str | None
    refused_sha256: str | None


@dataclass(frozen=True)
class LedgerEntry:
    """What one load did to one object; the counts are records and rows."""

    load_id: int
    file: str
    entity: str
    etag: str
    sha256: str | None
    size_bytes: int
    records: int
    rows_loaded: int
    rows_new: int
    rows_rejected: int
    rows_removed: int
    status: str


class Dialect:
    """DuckDB's way to write the expressions that rules are made of."""

    def whole_text(self, text: str, pattern: str) -> str:
        return f"regexp_full_match({text}, '{pattern}')"

    def try_cast(self, text: str, data_type: str) -> str:
        return f"try_cast({text} as {data_type})"

    def as_text(self, value: str) -> str:
        return f"cast({value} as varchar)"


class Warehouse:
    """An open warehouse file. Every method works inside one transaction of a load."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def make_tables(self) -> None:
        """Make the raw schema and its tables where they are missing."""
        self.connection.execute("create schema if not exists raw")
        tables: Iterable[Table] = [*entities().values(), *ledger_tables()]
        for table in tables:
            columns = ", ".join(f"{c.name} {c.data_type}" for c in table.columns)
            self.connection.execute(
                f"create table if not exists raw.{table.name} ({columns})"
            )

    def source(self) -> str | None:
        """The source that the warehouse belongs to; None before the first load."""
        row = self._row("select source from raw.loads order by load_id limit 1")
        return str(row[0]) if row else None

    def newest_load_id(self) -> int:
        return self._count("select coalesce(max(load_id), 0) from raw.loads")

    def objects(self) -> dict[str, ObjectState]:
        """Live objects by file."""
        rows = self.connection.execute(
            "select file, entity, etag, sha256, refused_sha256 from raw.objects"
        ).fetchall()
        return {row[0]: ObjectState(*row[1:]) for row in rows}

    def live_rows(self, entity: Entity, file: str | None = None) -> int:
        """Live rows of an entity, or of one of its objects."""
        condition = "" if file is None else "and file = $file"
        parameters = None if file is None else {"file": file}
        return self._count(
            f"select count(*) from raw.{entity.name} "
            f"where removed_load_id is null {condition}",
            parameters,
        )

    def insert_new(
        self,
        entity: Entity,
        csv_file: CsvFile,
        rules: list[Rule],
        file: str,
        load_id: int,
    ) -> int:
        """Insert the good records of an object that has no live rows; their number."""
        values = ", ".join(
            _typed(column) if column.header else _filled(column, file, load_id)
            for column in entity.columns
        )
        records = csv_file.select(entity, entity.has_column("record_number"))
        return self._count(
            f"insert into raw.{entity.name} select {values} "
            f"from ({records}) where {_all_of(rules)}"
        )

    def undo_insert(self, entity: Entity, file: str, load_id: int) -> None:
        """Take back what `insert_new` put in during this load."""
        self.connection.execute(
            f"delete from raw.{entity.name} where file = ? and load_id = ?",
            [file, load_id],
        )

    def bad_records(
        self, entity: Entity, csv_file: CsvFile, rules: list[Rule]
    ) -> list[Reject]:
        """The records that break a rule, by number, each with its first reason."""
        cases = " ".join(
            f"when ({rule.condition}) is not true then {_literal(rule.reason)}"
            for rule in rules
        )
        rows = self.connection.execute(
            f"select record_number, reason from ("
            f"select record_number, case {cases} end as reason "
            f"from ({csv_file.select(entity, numbered=True)})) "
            f"where reason is not null order by record_number"
        ).fetchall()
        return [Reject(*row) for row in rows]

    def land(self, entity: Entity, csv_file: CsvFile, rules: list[Rule]) -> int:
        """Put the good records of an object aside for a comparison; their number."""
        values = ", ".join(_typed(column) for column in entity.file_columns)
        is_numbered = entity.has_column("record_number")
        number = ", record_number" if is_numbered else ""
        return self._count(
            f"create or replace temp table landing as select {values}{number} "
            f"from ({csv_file.select(entity, is_numbered)}) where {_all_of(rules)}"
        )

    def replace(self, entity: Entity, file: str, load_id: int) -> tuple[int, int]:
        """Compare the landed records with the object's live rows: (new, removed).

        Rows that are the same keep their load; rows that are gone are marked; new
        ones are inserted. Where a later record overrules an earlier one of its key,
        the place among the records of the key belongs to a row's identity.
        """
        columns = ", ".join(column.name for column in entity.file_columns)
        if entity.key:
            part, order = ", ".join(entity.key), "order by record_number"
            number = ", record_number"
        else:
            part, order, number = columns, "", ""
        copy = f"row_number() over (partition by {part} {order}) as copy"
        self.connection.execute(
            f"create or replace temp table was as "
            f"select rowid as was_rowid, {columns}{number}, {copy} "
            f"from raw.{entity.name} where file = ? and removed_load_id is null",
            [file],
        )
        self.connection.execute(
            f"create or replace temp table is_now as "
            f"select {columns}{number}, {copy} from landing"
        )
        removed = self._count(
            f"update raw.{entity.name} set removed_load_id = {load_id} "
            f"where rowid in (select was_rowid from was "
            f"anti join is_now using ({columns}, copy))"
        )
        if entity.key:
            self.connection.execute(
                f"update raw.{entity.name} set record_number = is_now.record_number "
                f"from was join is_now using ({columns}, copy) "
                f"where raw.{entity.name}.rowid = was.was_rowid "
                f"and was.record_number <> is_now.record_number"
            )
        values = ", ".join(
            column.name if column.header else _filled(column, file, load_id)
            for column in entity.columns
        )
        new = self._count(
            f"insert into raw.{entity.name} select {values} "
            f"from is_now anti join was using ({columns}, copy)"
        )
        for table in ("landing", "was", "is_now"):
            self.connection.execute(f"drop table temp.{table}")
        return new, removed

    def remove(self, entity: Entity, file: str, load_id: int) -> int:
        """Mark all live rows of an object as removed; their number."""
        return self._count(
            f"update raw.{entity.name} set removed_load_id = ? "
            f"where file = ? and removed_load_id is null",
            [load_id, file],
        )

    def drop_rejects(self, file: str, load_id: int) -> None:
        """Mark the rejected records of an object as removed."""
        self.connection.execute(
            "update raw.rejects set removed_load_id = ? "
            "where file = ? and removed_load_id is null",
            [load_id, file],
        )

    def keep_rejects(
        self,
        entity: Entity,
        file: str,
        load_id: int,
        rejects: Iterable[tuple[Reject, str]],
        scratch: Path,
    ) -> None:
        """Keep rejected records, which pass through the file `scratch`."""
        table = next(table for table in ledger_tables() if table.name == "rejects")
        own = {"file": file, "entity": entity.name, "load_id": load_id}
        with scratch.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
            for reject, text in rejects:
                writer.writerow([reject.record_number, reject.reason, text])
        if not scratch.stat().st_size:
            return
        values = ", ".join(
            _literal(own[column.name])
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
            f"{_path_literal(scratch)}, auto_detect = false, header = false, "
            f"delim = ',', quote = '\"', escape = '\"', columns = "
            f"{{record_number: 'bigint', reason: 'varchar', text: 'varchar'}})"
        )

    def record(self, entry: LedgerEntry) -> None:
        """Write what this load did to an object into the ledger."""
        names = ", ".join(LedgerEntry.__dataclass_fields__)
        marks = ", ".join(f"${name}" for name in LedgerEntry.__dataclass_fields__)
        self.connection.execute(
            f"insert into raw.load_objects ({names}) values ({marks})", vars(entry)
        )
        if entry.status == "refused":
            self._record_refusal(entry)
            return
        self.connection.execute("delete from raw.objects where file = ?", [entry.file])
        if entry.status != "removed":
            names = (
                "file, entity, etag, sha256, size_bytes, records, rows_rejected, "
                "load_id"
            )
            self.connection.execute(
                f"insert into raw.objects ({names}) select {names} "
                f"from raw.load_objects where load_id = ? and file = ?",
                [entry.load_id, entry.file],
            )

    def _record_refusal(self, entry: LedgerEntry) -> None:
        known = self._count(
            "update raw.objects set refused_sha256 = ?, etag = ? where file = ?",
            [entry.sha256, entry.etag, entry.file],
        )
        if not known:
            self.connection.execute(
                "insert into raw.objects (file, entity, etag, size_bytes, records, "
                "rows_rejected, refused_sha256, load_id) "
                "values (?, ?, ?, 0, 0, 0, ?, ?)",
                [entry.file, entry.entity, entry.etag, entry.sha256, entry.load_id],
            )

    def record_load(self, load_id: int, source: str, loaded_at: datetime) -> None:
        """Write down a load; its moment is a second after the last one at least."""
        self.connection.execute(
            "insert into raw.loads (load_id, source, loaded_at) "
            "select ?, ?, greatest(cast(? as timestamp), "
            "(select max(loaded_at) + interval 1 second from raw.loads))",
            [load_id, source, loaded_at],
        )

    def keep_raw_alone(self) -> list[int]:
        """Drop every schema but raw; the loads that raw knows, in their order."""
        schemas = self.connection.execute(
            "select distinct schema_name from duckdb_tables() "
            "union select distinct schema_name from duckdb_views() where not internal"
        ).fetchall()
        for (schema,) in schemas:
            if schema != "raw":
                self.connection.execute(f'drop schema "{schema}" cascade')
        loads = self.connection.execute(
            "select load_id from raw.loads order by load_id"
        ).fetchall()
        return [load_id for (load_id,) in loads]

    def note_etag(self, file: str, etag: str) -> None:
        """Remember a new entity tag of unchanged bytes, to spare the next download."""
        self.connection.execute(
            "update raw.objects set etag = ? where file = ?", [etag, file]
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end, or roll all of it back."""
        self.connection.begin()
        try:
            yield
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.commit()

    def _row(self, query: str, parameters: object = None) -> tuple[object, ...] | None:
        return self.connection.execute(query, parameters).fetchone()

    def _count(self, query: str, parameters: object = None) -> int:
        row = self._row(query, parameters)
        return int(str(row[0])) if row else 0


@dataclass(frozen=True)
class CsvFile:
    """A local CSV file to read as text: as delivered, or numbered by `split`."""

    path: Path
    is_numbered: bool

    def select(self, entity: Entity, numbered: bool = False) -> str:
        """SQL that yields the file's columns as text, '' for an empty value.

        With `numbered`, record_number (1 is the line after the header) as well.
        """
        names = [column.name for column in entity.file_columns]
        texts = ", ".join(f"coalesce({name}, '') as {name}" for name in names)
        number = ""
        if self.is_numbered:
            names = ["record_number", *names]
            number = ", cast(record_number as bigint) as record_number"
        elif numbered:
            number = ", row_number() over () as record_number"
        columns = ", ".join(f"{name}: 'varchar'" for name in names)
        quote, skip = ('"', 0) if self.is_numbered else ("", 1)
        return (
            f"select {texts}{number} from read_csv({_path_literal(self.path)}, "
            f"auto_detect = false, header = false, skip = {skip}, "
            f"delim = ',', quote = '{quote}', escape = '{quote}', comment = '', "
            f"ignore_errors = true, max_line_size = {MAX_LINE_BYTES}, "
            f"buffer_size = {BUFFER_BYTES}, columns = {{{columns}}})"
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
        yield Warehouse(connection)
    finally:
        connection.close()


def connect(path: Path, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection in UTC that reaches for no network; errors as ReelhouseError."""
    try:
        connection = duckdb.connect(
            str(path),
            read_only=read_only,
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "python_enable_replacements": "false",
            },
        )
    except duckdb.Error as error:
        raise _cannot_open(path, str(error)) from error
    connection.execute("set TimeZone = 'UTC'")
    return connection


def _cannot_open(path: Path, message: str) -> ReelhouseError:
    if "Could not set lock" in message:
        holder = re.search(r"\(PID (\d+)\)", message)
        who = f"process {holder.group(1)}" if holder else "another process"
        return ReelhouseError(
            f"{path} is in use by {who}: wait for it to end, or end it."
        )
    if "Permission denied" in message or "Cannot open file" in message:
        return ReelhouseError(
            f"{path} cannot be opened: check its permissions and its folder's."
        )
    if "storage version" in message or "newer version" in message:
        problem = "was written by a newer DuckDB"
    else:
        problem = "is not a DuckDB file that can be read"
    return UnreadableWarehouse(
        f"{path} {problem}: make a new one with `reelhouse run --rebuild`, which puts "
        f"it aside, or set REELHOUSE_WAREHOUSE to another folder."
    )


def _all_of(rules: list[Rule]) -> str:
    return " and ".join(f"({rule.condition})" for rule in rules)


def _typed(column: Column) -> str:
    return f"try_cast({column.name} as {column.data_type}) as {column.name}"


def _filled(column: Column, file: str, load_id: int) -> str:
    """The value of a column that the loader fills in."""
    values = {
        "file": _literal(file),
        "load_id": str(load_id),
        "removed_load_id": "null",
    }
    return values.get(column.name, column.name)


def _literal(value: object) -> str:
    return (
        str(value)
        if isinstance(value, int)
        else "'" + str(value).replace("'", "''") + "'"
    )


def _path_literal(path: Path) -> str:
    """A path as a literal in which nothing acts as a glob."""
    return _literal(re.sub(r"([*?\[])", r"[\1]", str(path)))
