"""Snowflake: the raw schema of an account's database, and how rows get into it.

An object is checked on this machine and put on a stage, unchanged or rewritten. COPY
INTO loads it into a table of texts, where the same rules as on every engine separate
good records from bad ones. With an external stage, an object of plain lines is read
from the bucket itself. DDL would commit the load's transaction, so every table is
created before it begins.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from reelhouse.contract import Column, Entity, entities
from reelhouse.engines import warehouse
from reelhouse.engines.snowflake.connection import (
    Account,
    connector,
    is_lost,
    literal,
    open_account,
)
from reelhouse.engines.warehouse import (
    FAULT,
    MAX_LINE_BYTES,
    TEXT,
    CsvFile,
    names,
)
from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings

STAGE = "raw.landing"
# Every value is text, exactly as it stands between the commas, and a record is a line.
FILE_FORMAT = (
    "type = csv compression = {compression} field_optionally_enclosed_by = '\"' "
    "escape_unenclosed_field = none null_if = () empty_field_as_null = false "
    "trim_space = false error_on_column_count_mismatch = false multi_line = false "
    "skip_header = {skip}"
)
# A larger file is not compressed, so that many threads read it at once.
PARALLEL_BYTES = 128 * 2**20
LARGEST, SMALLEST = 2**63 - 1, -(2**63)

# Types of the information schema, and what declarations call them.
DECLARED = {"TEXT": "varchar", "FLOAT": "double", "TIMESTAMP_NTZ": "timestamp"}


class Warehouse(warehouse.Warehouse):
    """An account's raw schema, as `engines.warehouse.Warehouse` describes it."""

    elsewhere = "set SNOWFLAKE_DATABASE to another one"
    way_back = (
        "clone the table as it was before (docs/operations.md#restore), or let "
        "`reelhouse run --rebuild` load the source again, which loses removed rows"
    )
    replacing = " copy grants"

    def __init__(
        self, account: Account, bucket: str | None = None, source: str = ""
    ) -> None:
        self.account = account
        self._run = account.run
        self.bucket = bucket
        self.url = source
        # A folder of its own on the stage, because two loads may share the stage.
        self.place = f"@{STAGE}/{uuid.uuid4().hex}/"
        # Called before the first change that a run may have to undo.
        self.before_changes: Callable[[], None] = lambda: None
        # SQL for the good records of the object that was read last.
        self.landed = ""

    @property
    def reads_bucket(self) -> bool:
        return self.bucket is not None

    def whole_text(self, text: str, pattern: str) -> str:
        # regexp_like is anchored at both ends.
        return f"regexp_like({text}, '{pattern}')"

    def try_cast(self, text: str, data_type: str) -> str:
        value = f"try_cast({text} as {data_type})"
        if data_type != "bigint":
            return value
        # In Snowflake, a bigint has 38 digits.
        inside = f"{value} between {SMALLEST} and {LARGEST}"
        return f"case when {inside} then {value} end"

    def literal(self, text: str) -> str:
        return literal(text)

    def data_type(self, column: Column) -> str:
        return "timestamp_ntz" if column.data_type == "timestamp" else column.data_type

    def known_type(self, data_type: str) -> str:
        """How `shapes` names a type: in Snowflake, bigint is this decimal."""
        return "bigint" if data_type == "decimal(38,0)" else data_type

    def declared_type(self, data_type: str, precision: int, scale: int) -> str:
        number = self.known_type(f"decimal({precision},{scale})")
        return DECLARED.get(data_type, number)

    @contextmanager
    def transaction(self, touched: Collection[str]) -> Iterator[None]:
        if touched:
            self.before_changes()
            self.account.make_schemas("raw")
            stages = self._stages()
            self._check_bucket(stages)
            if STAGE not in stages:
                self._run(f"create stage {STAGE}")
            self.make_tables()
        for name in entities().keys() & touched:
            self._make_landing(entities()[name])
        self._run("begin")
        try:
            yield
        except BaseException as error:
            # If the connection is lost, Snowflake rolls back, and would not answer.
            if not is_lost(error):
                self._run("rollback")
            raise
        self._run("commit")

    def _make_landing(self, entity: Entity) -> None:
        """Create tables for the records of a file as texts, and for its changes."""
        texts = ", ".join(f"{column.name} varchar" for column in entity.file_columns)
        typed = ", ".join(
            f"{column.name} {self.data_type(column)}" for column in entity.file_columns
        )
        for name, columns in {
            "landing": f"{FAULT} varchar, {TEXT} varchar, {texts}, surplus varchar",
            "changes": f"{typed}, load_id bigint, is_gone boolean",
        }.items():
            self._run(
                f"create temporary table if not exists raw.{name}_{entity.name} "
                f"(record_number bigint, {columns})"
            )

    def read(self, entity: Entity, csv_file: CsvFile) -> str:
        self._change(f"delete from raw.landing_{entity.name}")
        columns = [column.name for column in entity.file_columns]
        # The extra column `surplus` shows a record with too many values.
        if csv_file.is_rewritten:
            columns = ["record_number", FAULT, TEXT, *columns, "surplus"]
            values = [f"${place}" for place in range(1, len(columns) + 1)]
        else:
            columns = ["record_number", *columns, "surplus"]
            values = ["metadata$file_row_number"]
            values += [f"${place}" for place in range(1, len(columns))]
        skip = 0 if csv_file.is_rewritten else 1
        with self._staged(csv_file) as (place, name):
            compression = "gzip" if name.lower().endswith(".gz") else "none"
            form = FILE_FORMAT.format(compression=compression, skip=skip)
            self._run(
                f"copy into raw.landing_{entity.name} ({', '.join(columns)}) "
                f"from (select {', '.join(values)} from {place}) "
                f"files = ('{name}') file_format = ({form}) "
                f"force = true purge = {str(place == self.place).lower()} "
                f"on_error = 'ABORT_STATEMENT'"
            )
        return self.read_again(entity, csv_file)

    def read_again(self, entity: Entity, csv_file: CsvFile) -> str:  # noqa: ARG002
        # Count from the lowest: whether the header has a number is not documented.
        return (
            f"select record_number + 1 - (select min(record_number) "
            f"from raw.landing_{entity.name}) as record_number, {FAULT}, {TEXT}, "
            f"{names(entity.file_columns)} from raw.landing_{entity.name} "
            f"where {_well_formed(entity)}"
        )

    def land(self, entity: Entity, csv_file: CsvFile, why_bad: str) -> int:
        values = ", ".join(self._typed(column) for column in entity.file_columns)
        self.landed = (
            f"select record_number, {values} from ({self.read(entity, csv_file)}) "
            f"as records where ({why_bad}) is null"
        )
        return self._count(f"select count(*) from ({self.landed}) as landed")

    def replace(self, entity: Entity, file: str, load_id: int) -> tuple[int, int]:
        """Rewrite all rows of each key or content that has a changed row.

        Nothing tells rows with the same content apart, so no single one can be updated.
        """
        self._change(f"delete from raw.changes_{entity.name}")
        self._find_changes(entity, file)
        ((new, removed),) = self._rows(
            "select count(*) - count(load_id), count(case when is_gone then 1 end) "
            f"from raw.changes_{entity.name}"
        )
        part = entity.key or [column.name for column in entity.file_columns]
        self._change(
            f"delete from raw.{entity.name} using raw.changes_{entity.name} as changes "
            f"where {_live(file)} and {_same(f'raw.{entity.name}', 'changes', part)}"
        )
        filled = {
            "file": literal(file),
            "load_id": f"coalesce(load_id, {load_id})",
            "removed_load_id": f"case when is_gone then {load_id} end",
        }
        values = ", ".join(filled.get(c.name, c.name) for c in entity.columns)
        self._change(
            f"insert into raw.{entity.name} ({names(entity.columns)}) "
            f"select {values} from raw.changes_{entity.name}"
        )
        return new, removed

    def _find_changes(self, entity: Entity, file: str) -> None:
        """Pair live rows with landed records by content and by position.

        That is the position among the rows of a key or, without a key, of a content.
        For each key or content with a row that has no match or has moved, `changes`
        gets all rows, with what becomes of them.
        """
        columns = [column.name for column in entity.file_columns]
        part = ", ".join(entity.key or columns)
        place = f"row_number() over (partition by {part} order by"
        order, number, moved = "load_id", "is_now.record_number", ""
        if entity.has_column("record_number"):
            order, number = "record_number", f"coalesce({number}, was.record_number)"
            moved = " or was.record_number <> is_now.record_number"
        either = ", ".join(
            f"coalesce(was.{name}, is_now.{name}) as {name}" for name in columns
        )
        self._change(
            f"insert into raw.changes_{entity.name} "
            f"({', '.join(columns)}, record_number, load_id, is_gone) "
            f"select {', '.join(columns)}, record_number, load_id, is_gone from ("
            f"select {either}, {number} as record_number, was.load_id, "
            f"is_now.place is null as is_gone, "
            f"was.place is null or is_now.place is null{moved} as is_changed "
            f"from (select *, {place} {order}) as place from raw.{entity.name} "
            f"where {_live(file)}) as was full outer join "
            f"(select *, {place} record_number) as place from ({self.landed}) "
            f"as landed) as is_now "
            f"on {_same('was', 'is_now', [*columns, 'place'])}) as pairs "
            f"qualify count_if(is_changed) over (partition by {part}) > 0"
        )

    @contextmanager
    def _staged(self, csv_file: CsvFile) -> Iterator[tuple[str, str]]:
        """Yield a file's folder on a stage and its name there.

        A file that was uploaded is removed after a failure.
        """
        key = csv_file.key or ""
        # Other characters would need quoting, each in its own way.
        if self.bucket and re.fullmatch(r"[A-Za-z0-9_./=-]+", key):
            folder, slash, name = key.rpartition("/")
            yield f"@{self.bucket}/{folder}{slash}", name
            return
        is_large = csv_file.path.stat().st_size > PARALLEL_BYTES
        name = csv_file.path.name
        path = str(csv_file.path).replace("\\", "\\\\").replace("'", "\\'")
        try:
            self._run(
                f"put 'file://{path}' {self.place} overwrite = true "
                f"auto_compress = {str(not is_large).lower()}"
            )
            yield self.place, name if is_large else f"{name}.gz"
        except connector().errors.Error:
            # COPY removes what it has loaded. An error here must not hide the first.
            with suppress(connector().errors.Error):
                self._run(f"remove {self.place}")
            raise

    def _check_bucket(self, stages: Mapping[str, str]) -> None:
        """Raise ReelhouseError unless the external stage points to the source."""
        if self.bucket is None:
            return
        found = stages.get(self.bucket.lower())
        if found != f"{self.url.rstrip('/')}/":
            shown = "is missing" if found is None else f"shows {found or 'no bucket'}"
            raise ReelhouseError(
                f"The stage {self.bucket} {shown}, but the source is {self.url}: set "
                f"REELHOUSE_STAGE to a stage with that address, or unset it."
            )

    def _stages(self) -> dict[str, str]:
        """Addresses of the stages in raw by name, empty for internal ones."""
        cursor = self._run("show stages in schema raw")
        keys = [column.name.lower() for column in cursor.description]
        rows = [dict(zip(keys, row, strict=True)) for row in cursor.fetchall()]
        return {f"raw.{row['name'].lower()}": row["url"] or "" for row in rows}

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self.account.ask(sql, *values)

    def _change(self, sql: str, *values: object) -> int:
        return int(self._run(sql, *values).rowcount or 0)


@contextmanager
def open_warehouse(settings: Settings) -> Iterator[Warehouse]:
    """Open the account of a target, for a load.

    Raises ReelhouseError if it refuses something, or cannot be reached any more.
    """
    with open_account(settings.target) as account:
        yield Warehouse(account, settings.stage, settings.source)


def _live(file: str) -> str:
    return f"file = {literal(file)} and removed_load_id is null"


def _same(left: str, right: str, columns: Iterable[str]) -> str:
    """SQL: whether two rows agree; nulls match, as older rows have in a new column."""
    return " and ".join(
        f"{left}.{name} is not distinct from {right}.{name}" for name in columns
    )


def _well_formed(entity: Entity) -> str:
    """SQL: whether a landed record has a value per column, and is not too long."""
    columns = [column.name for column in entity.file_columns]
    length = " + ".join(f"coalesce(length({name}), 0)" for name in columns)
    return (
        f"{columns[-1]} is not null and surplus is null "
        f"and {length} + {len(columns) - 1} <= {MAX_LINE_BYTES}"
    )
