"""Backup: raw rows and history as Parquet files, beside the warehouse file.

A part is a file that never changes: the rows that one load added to a raw table, or a
whole table of the ledger or of history. The manifest lists the parts that belong
together, so one rename of the manifest makes a new backup valid. Unchanged parts are
not written again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb

from reelhouse.contract import entities
from reelhouse.engines.duckdb.connection import (
    UnreadableWarehouse,
    connect,
    identifier,
    literal,
    path_literal,
    sha256_of,
    telling_damage,
)
from reelhouse.engines.duckdb.load import open_warehouse
from reelhouse.engines.warehouse import ChangedByHand
from reelhouse.errors import ReelhouseError

MANIFEST = "manifest.json"
RAW, HISTORY = "raw", "snapshots"
# The name of a part, or, with a dot, of one that a killed process did not finish.
PART_NAME = re.compile(rf"\.?({RAW}|{HISTORY})\..+\.(\d+|all)\.[0-9a-f]{{20}}\.parquet")
# Types that a Parquet file would store as doubles.
INEXACT = ("HUGEINT", "UHUGEINT")

Place = Literal["file", "backup"]


@dataclass(frozen=True)
class Part:
    """Some rows of a table (as schema.table), identified by the name of their file.

    `columns` holds the types of its columns by name, `sha256` is that of the file.
    """

    table: str
    columns: dict[str, str]
    rows: int
    file: str
    sha256: str

    @property
    def schema(self) -> str:
        return self.table.partition(".")[0]


@dataclass(frozen=True)
class Backup:
    """The parts of one backup; `began_at` is the time of the warehouse's first load."""

    source: str
    began_at: str
    written_at: str
    parts: tuple[Part, ...]

    @property
    def files(self) -> set[str]:
        """The names of its files."""
        return {MANIFEST, *(part.file for part in self.parts)}

    def is_of(self, other: Backup) -> bool:
        """Whether both backups belong to the same warehouse."""
        return (self.source, self.began_at) == (other.source, other.began_at)


@dataclass(frozen=True)
class Recovery:
    """Where raw rows and history were recovered from; None means nowhere.

    `is_whole` says whether both could be read from the file. `written_at` (UTC) is the
    time of the backup, None if the source has none.
    """

    raw: Place | None
    history: Place | None
    is_whole: bool
    written_at: str | None

    @property
    def lacks_history(self) -> bool:
        """Whether history still has to be recorded from the raw rows."""
        return self.raw is not None and self.history is None


def read(folder: Path) -> Backup | None:
    """The backup in a folder; None if there is none, or its manifest cannot be read."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        # A manifest of an earlier version has no checksum.
        noted = content.pop("sha256", None)
        if noted not in (None, _digest(content)):
            return None
        parts = tuple(Part(**part) for part in content.pop("parts"))
        return Backup(parts=parts, **content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def is_unreadable(folder: Path) -> bool:
    """Whether there is a backup whose manifest cannot be read or was changed."""
    return (folder / MANIFEST).exists() and read(folder) is None


def write(database: Path, folder: Path) -> Backup:
    """Write the new parts of a backup; the backup is valid after `commit`.

    Each part is read back; old parts that are still intact are not written again.
    Raises ReelhouseError if a part does not read back as it was written.
    """
    parts = [
        part
        for schema in (RAW, HISTORY)
        for part in _write_schema(database, folder, schema)
    ]
    with closing(connect(database, read_only=True)) as connection:
        first = connection.execute(
            "select source, loaded_at from raw.loads order by load_id limit 1"
        ).fetchall()
    source, began_at = first[0] if first else ("", "")
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return Backup(source, str(began_at), now, tuple(parts))


def commit(backup: Backup, folder: Path) -> None:
    """Make a backup valid by one rename, and remove parts that it does not use."""
    partial = folder / f".{MANIFEST}"
    with partial.open("w", encoding="utf-8") as file:
        content = asdict(backup)
        json.dump({"sha256": _digest(content), **content}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / MANIFEST)
    used = backup.files
    for path in folder.iterdir():
        if path.name not in used and PART_NAME.fullmatch(path.name):
            path.unlink()


def recover(lost: Path, folder: Path, source: str, to: Path) -> Recovery:
    """Create a new warehouse from a lost one as far as readable, or from its backup.

    If the raw rows come from the file, history is not restored: it is recorded from
    them. Without raw rows, history is still restored: it continues from where it ended.
    """
    known = read(folder)
    if known and known.source != source:
        known = None
    parts: dict[Place, list[Part]] = {"file": [], "backup": []}
    parts["backup"] += known.parts if known else ()
    readable = set()
    for schema in (RAW, HISTORY) if lost.exists() else ():
        with suppress(UnreadableWarehouse):
            parts["file"] += list(_write_schema(lost, folder, schema))
            readable.add(schema)

    def restored(schema: str, *places: Place) -> Place | None:
        """Restore a schema from the first place that has it, and return that."""
        for place in places:
            of_schema = [part for part in parts[place] if part.schema == schema]
            if of_schema and _restore(of_schema, folder, to):
                return place
            if of_schema and place == "file":
                readable.discard(schema)
        return None

    history: Place | None = None
    raw = restored(RAW, "file", "backup")
    if raw == "backup":
        history = restored(HISTORY, "backup")
    elif not raw:
        history = restored(HISTORY, "file", "backup")
    return Recovery(
        raw, history, len(readable) == 2, known.written_at if known else None
    )


def _write_schema(database: Path, folder: Path, schema: str) -> Iterator[Part]:
    """Yield the parts of a schema, and write those that are new.

    Raises UnreadableWarehouse if one of its tables cannot be read.
    """
    known = read(folder)
    old = {part.file: part for part in known.parts} if known else {}
    folder.mkdir(parents=True, exist_ok=True)
    with telling_damage(database), closing(connect(database, True)) as connection:
        tables = connection.execute(
            "select table_name from duckdb_tables() where schema_name = ? "
            "and database_name = current_database() order by table_name",
            [schema],
        ).fetchall()
        for (table,) in tables:
            name = _name(f"{schema}.{table}")
            columns = _columns(connection, name)
            is_fed = schema == RAW and table in entities()
            for load_id, rows, digest in _digests(connection, name, columns, is_fed):
                file = f"{schema}.{table}.{load_id or 'all'}.{digest[:20]}.parquet"
                part = old.get(file)
                if not part or sha256_of(folder / file) != part.sha256:
                    where = f"where load_id = {load_id}" if load_id else ""
                    sha256 = _write_part(
                        connection, f"{name} {where}", columns, folder / file, digest
                    )
                    part = Part(f"{schema}.{table}", columns, rows, file, sha256)
                yield part


def _write_part(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    columns: dict[str, str],
    to: Path,
    digest: str,
) -> str:
    """Write rows into a file and return its SHA-256."""
    partial = to.with_name(f".{to.name}")
    values = ", ".join(
        f"cast({identifier(name)} as varchar) as {identifier(name)}"
        if data_type in INEXACT
        else identifier(name)
        for name, data_type in columns.items()
    )
    connection.execute(
        f"copy (select {values} from {rows}) to {literal(partial)} "
        f"(format parquet, compression zstd, compression_level 1)"
    )
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    ((_, _, found),) = _digests(connection, _reading(partial, columns), columns)
    if found != digest:
        partial.unlink()
        raise ReelhouseError(
            f"{to} does not read back as it was written, so nothing is published: "
            f"check the disk, then run again."
        )
    partial.replace(to)
    return str(sha256_of(to))


def _reading(part: Path, columns: dict[str, str]) -> str:
    values = ", ".join(
        f"cast({identifier(name)} as {data_type}) as {identifier(name)}"
        for name, data_type in columns.items()
    )
    return f"(select {values} from read_parquet({path_literal(part)}))"


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    rows = connection.execute(f"describe from {relation}").fetchall()
    return {name: data_type for name, data_type, *_ in rows}


def _digests(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    columns: dict[str, str],
    by_load: bool = False,
) -> list[tuple[int | None, int, str]]:
    """For the rows of each load, or all rows: the load, their number, and a digest.

    The digest depends on values, names and types, but not on the order of rows.
    """
    values = ", ".join(map(identifier, columns))
    load_id, group = ("load_id", "group by load_id") if by_load else ("null", "")
    found = connection.execute(
        f"select {load_id}, count(*), cast(sum(hash({values})) as varchar) "
        f"from {relation} {group} order by all"
    ).fetchall()
    return [
        (each, rows, hashlib.sha256(f"{columns} {rows} {total}".encode()).hexdigest())
        for each, rows, total in found
    ]


def _restore(parts: list[Part], folder: Path, to: Path) -> bool:
    """Insert parts into a warehouse, all or none; False if a part is damaged.

    Also False if the raw rows do not match the ledger.
    """
    if any(sha256_of(folder / part.file) != part.sha256 for part in parts):
        return False
    with (
        suppress(ChangedByHand),
        open_warehouse(to) as warehouse,
        warehouse.atomic(),
    ):
        run = warehouse.connection.execute
        for schema in {part.schema for part in parts}:
            run(f"create schema if not exists {identifier(schema)}")
        for part in parts:
            rows = f"from {_reading(folder / part.file, part.columns)}"
            run(f"create table if not exists {_name(part.table)} as {rows} limit 0")
            run(f"insert into {_name(part.table)} by name {rows}")
        # Change tables of an older declaration to match the current one.
        warehouse.make_tables()
        warehouse.live_rows()
        return True
    return False


def _digest(content: dict[str, Any]) -> str:
    """The SHA-256 of a manifest's content."""
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _name(table: str) -> str:
    return ".".join(map(identifier, table.split(".", 1)))
