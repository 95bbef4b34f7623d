"""Snowflake: the raw schema of an account's database, and how rows get into it.

An object is checked on this machine and put on a stage as it is, or rewritten; COPY
INTO takes it into a table of texts, and the same rules as everywhere tell good records
from bad ones there. With an external stage, an object of
plain lines is read in the bucket itself. DDL would commit the load's transaction, so
every table is made before it begins.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from reelhouse.contract import Column, Entity, Table, entities, is_packed
from reelhouse.engines import raw_schema, warehouse
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
    ObjectState,
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
# What is larger is read by many threads at once, if it is not compressed.
PARALLEL_BYTES = 128 * 2**20
LARGEST, SMALLEST = 2**63 - 1, -(2**63)

# How a declaration has the types that the information schema names.
DECLARED = {"TEXT": "varchar", "FLOAT": "double", "TIMESTAMP_NTZ": "timestamp"}


@dataclass(frozen=True)
class StagedFile:
    """A file of a stage: its folder, its name there, its compression, who put it."""

    place: str
    name: str
    compression: str
    is_ours: bool


class Dialect:
    """Snowflake's way to write the expressions that rules are made of."""

    def whole_text(self, text: str, pattern: str) -> str:
        # It is anchored at both ends.
        return f"regexp_like({text}, '{pattern}')"

    def try_cast(self, text: str, data_type: str) -> str:
        value = f"try_cast({text} as {data_type})"
        if data_type != "bigint":
            return value
        # A bigint has 38 digits here.
        inside = f"{value} between {SMALLEST} and {LARGEST}"
        return f"case when {inside} then {value} end"

    def literal(self, text: str) -> str:
        return literal(text)


class Warehouse(warehouse.Warehouse):
    """An account's raw schema, as `engines.warehouse.Warehouse` describes it."""

    dialect = Dialect()
    elsewhere = "set SNOWFLAKE_DATABASE to another one"

    def __init__(
        self, account: Account, bucket: str | None = None, source: str = ""
    ) -> None:
        self.account = account
        self._run = account.run
        self.bucket = bucket
        self.url = source
        # A folder of its own on the stage, for two loads may share that.
        self.place = f"@{STAGE}/{uuid.uuid4().hex}/"
        # Told before the first change that a run may have to undo.
        self.before_changes: Callable[[], None] = lambda: None
        self.shapes: dict[str, raw_schema.Shape] | None = None

    @property
    def reads_bucket(self) -> bool:
        return self.bucket is not None

    def make_tables(self) -> None:
        """Nothing: they were made before the transaction began."""

    def known_objects(self) -> dict[str, ObjectState] | None:
        """None where the raw tables that are there are not as they are declared."""
        found = self._shapes()
        if not found:
            return {}
        is_as_declared = all(
            list(found.get(table.name, {}).items()) == _declared(table)
            for table in raw_schema.tables()
        )
        return self.objects() if is_as_declared else None

    @contextmanager
    def transaction(self, touched: Mapping[str, bool]) -> Iterator[None]:
        """Commit at the end, or roll all of it back."""
        if touched:
            self.before_changes()
            self._make_tables(touched)
        self._run("begin")
        try:
            yield
        except BaseException as error:
            # What is lost is rolled back there, and an answer would not come.
            if not is_lost(error):
                self._run("rollback")
            raise
        self._run("commit")

    def _make_tables(self, touched: Mapping[str, bool]) -> None:
        self.account.make_schemas("raw")
        stages = self._stages()
        self._check_bucket(stages)
        if STAGE not in stages:
            self._run(f"create stage {STAGE}")
        found = self._shapes()
        self.shapes = None
        differing = []
        for table in raw_schema.tables():
            if former := found.get(table.name):
                if list(former.items()) != _declared(table):
                    raw_schema.check_values(
                        table, former, self.dialect, self._count, self.elsewhere
                    )
                    differing.append(table)
            else:
                columns = raw_schema.definitions(table, _data_type)
                self._run(f"create table if not exists raw.{table.name} ({columns})")
        for table in differing:
            for sql in raw_schema.reshaping(
                table, found[table.name], self.dialect, _data_type, " copy grants"
            ):
                self._run(sql)
        for name, is_compared in touched.items():
            entity = entities().get(name)
            if not entity:
                continue
            texts = ", ".join(
                f"{column.name} varchar" for column in entity.file_columns
            )
            self._run(
                f"create temporary table if not exists raw.landing_{entity.name} "
                f"(record_number bigint, {FAULT} varchar, {TEXT} varchar, {texts}, "
                f"surplus varchar)"
            )
            if not is_compared:
                continue
            typed = ", ".join(
                f"{column.name} {_data_type(column)}" for column in entity.file_columns
            )
            self._run(
                f"create temporary table if not exists raw.incoming_{entity.name} "
                f"(record_number bigint, {typed})"
            )
            changes = (
                "was_number bigint, now_number bigint, is_same boolean"
                if entity.key
                else f"{typed}, was_copies bigint, now_copies bigint"
            )
            self._run(
                f"create temporary table if not exists raw.changes_{entity.name} "
                f"({changes})"
            )

    def _shapes(self) -> dict[str, raw_schema.Shape]:
        """What the tables in raw are, each type as a declaration has it."""
        if self.shapes is not None:
            return self.shapes
        found: dict[str, raw_schema.Shape] = {}
        for table, name, data_type, precision, scale in self._rows(
            "select lower(table_name), lower(column_name), data_type, "
            "numeric_precision, numeric_scale from information_schema.columns "
            "where table_schema = 'RAW' order by table_name, ordinal_position"
        ):
            number = _known_type(f"decimal({precision},{scale})")
            found.setdefault(table, {})[name] = DECLARED.get(data_type, number)
        self.shapes = found
        return found

    def _has_ledger(self) -> bool:
        return "loads" in self._shapes()

    def read(self, entity: Entity, csv_file: CsvFile) -> str:
        self._change(f"delete from raw.landing_{entity.name}")
        columns = [column.name for column in entity.file_columns]
        # A column more than there are shows a record that is too long.
        if csv_file.is_rewritten:
            columns = ["record_number", FAULT, TEXT, *columns, "surplus"]
            values = [f"${place}" for place in range(1, len(columns) + 1)]
        else:
            columns = ["record_number", *columns, "surplus"]
            values = ["metadata$file_row_number"]
            values += [f"${place}" for place in range(1, len(columns))]
        skip = 0 if csv_file.is_rewritten else 1
        with self._staged(csv_file) as staged:
            form = FILE_FORMAT.format(compression=staged.compression, skip=skip)
            self._run(
                f"copy into raw.landing_{entity.name} ({', '.join(columns)}) "
                f"from (select {', '.join(values)} from {staged.place}) "
                f"files = ('{staged.name}') file_format = ({form}) "
                f"force = true purge = {str(staged.is_ours).lower()} "
                f"on_error = 'ABORT_STATEMENT'"
            )
        return self.read_again(entity, csv_file)

    def read_again(self, entity: Entity, csv_file: CsvFile) -> str:  # noqa: ARG002
        # Whether the header counts is not documented.
        return (
            f"select record_number + 1 - (select min(record_number) "
            f"from raw.landing_{entity.name}) as record_number, {FAULT}, {TEXT}, "
            f"{names(entity.file_columns)} from raw.landing_{entity.name} "
            f"where {_well_formed(entity)}"
        )

    def land(self, entity: Entity, csv_file: CsvFile, why_bad: str) -> int:
        records = self.read(entity, csv_file)
        self._change(f"delete from raw.incoming_{entity.name}")
        values = ", ".join(self._typed(column) for column in entity.file_columns)
        return self._change(
            f"insert into raw.incoming_{entity.name} "
            f"(record_number, {names(entity.file_columns)}) "
            f"select record_number, {values} from ({records}) as records "
            f"where ({why_bad}) is null"
        )

    def replace(self, entity: Entity, file: str, load_id: int) -> tuple[int, int]:
        self._change(f"delete from raw.changes_{entity.name}")
        if entity.key:
            return self._replace_by_key(entity, file, load_id)
        return self._replace_by_content(entity, file, load_id)

    def _replace_by_key(
        self, entity: Entity, file: str, load_id: int
    ) -> tuple[int, int]:
        """Pair rows by key and place; a live row of a file is known by its number."""
        name, live = entity.name, _live(file)
        key = ", ".join(entity.key)
        columns = names(entity.file_columns)
        paired = " and ".join(f"was.{part} = is_now.{part}" for part in entity.key)
        same = " and ".join(
            f"was.{column.name} = is_now.{column.name}"
            for column in entity.file_columns
        )
        place = f"row_number() over (partition by {key} order by record_number)"
        self._change(
            f"insert into raw.changes_{name} (was_number, now_number, is_same) "
            f"select was.record_number, is_now.record_number, "
            f"coalesce({same}, false) from "
            f"(select record_number, {columns}, {place} as place "
            f"from raw.{name} where {live}) as was full outer join "
            f"(select record_number, {columns}, {place} as place "
            f"from raw.incoming_{name}) as is_now "
            f"on {paired} and was.place = is_now.place"
        )
        removed = self._change(
            f"update raw.{name} set removed_load_id = {load_id} where {live} "
            f"and record_number in (select was_number from raw.changes_{name} "
            f"where not is_same and was_number is not null)"
        )
        self._change(
            f"update raw.{name} set record_number = changes.now_number "
            f"from raw.changes_{name} as changes where {live} "
            f"and raw.{name}.record_number = changes.was_number "
            f"and changes.is_same and changes.was_number <> changes.now_number"
        )
        new = self._insert_incoming(
            entity,
            file,
            load_id,
            f"raw.incoming_{name} where record_number in (select now_number "
            f"from raw.changes_{name} where not is_same and now_number is not null)",
        )
        return new, removed

    def _replace_by_content(
        self, entity: Entity, file: str, load_id: int
    ) -> tuple[int, int]:
        """Compare how often each content is there: copies are told apart by nothing."""
        name, live = entity.name, _live(file)
        columns = names(entity.file_columns)

        def same(left: str, right: str) -> str:
            # Null is what older rows have in a column that is new.
            return " and ".join(
                f"{left}.{column.name} is not distinct from {right}.{column.name}"
                for column in entity.file_columns
            )

        either = ", ".join(
            f"coalesce(was.{column.name}, is_now.{column.name})"
            for column in entity.file_columns
        )
        self._change(
            f"insert into raw.changes_{name} ({columns}, was_copies, now_copies) "
            f"select {either}, coalesce(was.copies, 0), "
            f"coalesce(is_now.copies, 0) from (select {columns}, count(*) as copies "
            f"from raw.{name} where {live} group by {columns}) as was full outer join "
            f"(select {columns}, count(*) as copies from raw.incoming_{name} "
            f"group by {columns}) as is_now on {same('was', 'is_now')} "
            f"where coalesce(was.copies, 0) <> coalesce(is_now.copies, 0)"
        )
        removed = self._change(
            f"update raw.{name} set removed_load_id = {load_id} "
            f"from raw.changes_{name} as changes where {live} "
            f"and changes.now_copies = 0 and {same(f'raw.{name}', 'changes')}"
        )
        removed += self._remove_copies(entity, file, load_id, same)
        new = self._insert_incoming(
            entity,
            file,
            load_id,
            f"(select incoming.*, row_number() over (partition by "
            f"{names(entity.file_columns, 'incoming')} "
            f"order by incoming.record_number) as place, changes.was_copies "
            f"from raw.incoming_{name} as incoming inner join raw.changes_{name} as "
            f"changes on {same('incoming', 'changes')}) as incoming "
            f"where place > was_copies",
        )
        return new, removed

    def _remove_copies(self, entity: Entity, file: str, load_id: int, same: Any) -> int:
        """Mark some of the copies of a content as removed; how many.

        Nothing tells copies apart, so all are rewritten, negative loads marking
        them for the while.
        """
        name, live = entity.name, _live(file)
        fewer = "changes.now_copies > 0 and changes.now_copies < changes.was_copies"
        if not self._count(
            f"select count(*) from raw.changes_{name} as changes where {fewer}"
        ):
            return 0
        columns = names(entity.file_columns)
        self._change(
            f"insert into raw.{name} ({columns}, file, load_id, removed_load_id) "
            f"select {columns}, file, -load_id, "
            f"case when place > now_copies then {load_id} end from ("
            f"select {names(entity.file_columns, 'live')}, live.file, live.load_id, "
            f"changes.now_copies, row_number() over (partition by "
            f"{names(entity.file_columns, 'live')} order by live.load_id) as place "
            f"from raw.{name} as live inner join raw.changes_{name} as changes "
            f"on {same('live', 'changes')} where {fewer} "
            f"and live.file = {literal(file)} and live.removed_load_id is null"
            f") as copies"
        )
        self._change(
            f"delete from raw.{name} using raw.changes_{name} as changes "
            f"where {live} and raw.{name}.load_id > 0 and {fewer} "
            f"and {same(f'raw.{name}', 'changes')}"
        )
        self._change(f"update raw.{name} set load_id = -load_id where load_id < 0")
        return self._count(
            f"select coalesce(sum(changes.was_copies - changes.now_copies), 0) "
            f"from raw.changes_{name} as changes where {fewer}"
        )

    def _insert_incoming(
        self, entity: Entity, file: str, load_id: int, incoming: str
    ) -> int:
        values = ", ".join(
            column.name if column.header else self._filled(column, file, load_id)
            for column in entity.columns
        )
        return self._change(
            f"insert into raw.{entity.name} ({names(entity.columns)}) "
            f"select {values} from {incoming}"
        )

    @contextmanager
    def _staged(self, csv_file: CsvFile) -> Iterator[StagedFile]:
        """Where a file is on a stage; a put one does not stay after a failure."""
        key = csv_file.key or ""
        # Other characters would have to be quoted, each in its own way.
        if self.bucket and re.fullmatch(r"[A-Za-z0-9_./=-]+", key):
            folder, slash, name = key.rpartition("/")
            place = f"@{self.bucket}/{folder}{slash}"
            yield StagedFile(place, name, "gzip" if is_packed(key) else "none", False)
            return
        is_large = csv_file.path.stat().st_size > PARALLEL_BYTES
        name = csv_file.path.name
        path = str(csv_file.path).replace("\\", "\\\\").replace("'", "\\'")
        try:
            self._run(
                f"put 'file://{path}' {self.place} overwrite = true "
                f"auto_compress = {str(not is_large).lower()}"
            )
            if is_large:
                yield StagedFile(self.place, name, "none", True)
            else:
                yield StagedFile(self.place, f"{name}.gz", "gzip", True)
        except connector().errors.Error:
            # COPY removes what it has loaded. What goes wrong here is not the error.
            with suppress(connector().errors.Error):
                self._run(f"remove {self.place}")
            raise

    def _check_bucket(self, stages: Mapping[str, str]) -> None:
        """Raise ReelhouseError unless the external stage shows the source."""
        if self.bucket is None:
            return
        found = stages.get(self.bucket.lower())
        if found != f"{self.url.rstrip('/')}/":
            shown = "is not there" if found is None else f"shows {found or 'no bucket'}"
            raise ReelhouseError(
                f"The stage {self.bucket} {shown}, and the source is {self.url}: set "
                f"REELHOUSE_STAGE to a stage of that address, or to none."
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

    Raises ReelhouseError where it refuses, or cannot be reached any more.
    """
    with open_account(settings.target) as account:
        yield Warehouse(account, settings.stage, settings.source)


def _declared(table: Table) -> list[tuple[str, str]]:
    return [(c.name, _known_type(c.data_type)) for c in table.columns]


def _data_type(column: Column) -> str:
    return "timestamp_ntz" if column.data_type == "timestamp" else column.data_type


def _known_type(data_type: str) -> str:
    """The name of a declared type; a bigint has 38 digits here, as this decimal has."""
    return "bigint" if data_type == "decimal(38,0)" else data_type


def _live(file: str) -> str:
    return f"file = {literal(file)} and removed_load_id is null"


def _well_formed(entity: Entity) -> str:
    """Whether a landed record has as many values as columns, and is not too long."""
    columns = [column.name for column in entity.file_columns]
    length = " + ".join(f"coalesce(length({name}), 0)" for name in columns)
    return (
        f"{columns[-1]} is not null and surplus is null "
        f"and {length} + {len(columns) - 1} <= {MAX_LINE_BYTES}"
    )
