"""Ledger: what the loader writes down about its own work, alike on every engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any

from reelhouse.contract import Entity, entities
from reelhouse.engines import shape
from reelhouse.engines.warehouse import LedgerEntry, ObjectState, Reject

OF_OBJECTS = "file, entity, etag, sha256, size_bytes, records, rows_rejected, load_id"


class Ledger(ABC):
    """The part of a `Warehouse` for which no engine needs SQL of its own."""

    @abstractmethod
    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of an answer; each ? stands for a value."""

    @abstractmethod
    def _change(self, sql: str, *values: object) -> int:
        """Run a statement that changes rows; their number."""

    def _count(self, sql: str, *values: object) -> int:
        """The one number that a question is answered with."""
        ((count,),) = self._rows(sql, *values)
        return int(count or 0)

    def has_loads(self) -> bool:
        """Whether there is a ledger with a load in it."""
        is_there = self._count(
            "select count(*) from information_schema.tables "
            "where lower(table_catalog) = lower(current_database()) "
            "and lower(table_schema) = 'raw' and lower(table_name) = 'loads'"
        )
        return bool(is_there and self._count("select count(*) from raw.loads"))

    def source(self) -> str | None:
        if not self.has_loads():
            return None
        rows = self._rows("select source from raw.loads order by load_id limit 1")
        return str(rows[0][0])

    def newest_load(self) -> tuple[int, datetime | None]:
        # What the role may not read is not listed.
        columns = self._count(shape.OF_LOADS)
        ((load_id, loaded_at),) = self._rows(shape.newest_load(columns))
        return int(load_id), loaded_at

    def load_ids(self) -> list[int]:
        rows = self._rows("select load_id from raw.loads order by load_id")
        return [int(load_id) for (load_id,) in rows]

    def objects(self) -> dict[str, ObjectState]:
        rows = self._rows(
            "select file, entity, etag, sha256, refused_sha256, contract "
            "from raw.objects"
        )
        return {row[0]: ObjectState(*row[1:]) for row in rows}

    def live_rows(self, entity: Entity, file: str | None = None) -> int:
        return self._count(
            f"select count(*) from raw.{entity.name} where removed_load_id is null"
            f"{'' if file is None else ' and file = ?'}",
            *([] if file is None else [file]),
        )

    def undo_insert(self, entity: Entity, file: str, load_id: int) -> None:
        self._change(
            f"delete from raw.{entity.name} where file = ? and load_id = ?",
            file,
            load_id,
        )

    def remove(self, entity: Entity, file: str, load_id: int) -> int:
        return self._mark_removed(entity.name, file, load_id)

    def rejects(self, file: str) -> list[Reject]:
        rows = self._rows(
            "select record_number, reason from raw.rejects "
            "where file = ? and removed_load_id is null order by record_number",
            file,
        )
        return [Reject(int(number), reason) for number, reason in rows]

    def drop_rejects(self, file: str, load_id: int) -> None:
        self._mark_removed("rejects", file, load_id)

    def _mark_removed(self, table: str, file: str, load_id: int) -> int:
        return self._change(
            f"update raw.{table} set removed_load_id = ? "
            f"where file = ? and removed_load_id is null",
            load_id,
            file,
        )

    def record(self, entry: LedgerEntry) -> None:
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
        self, load_id: int, load_key: str, source: str, loaded_at: datetime
    ) -> None:
        self._change(
            "insert into raw.loads (load_id, load_key, source, loaded_at) "
            "select ?, ?, ?, cast(? as timestamp)",
            *(load_id, load_key, source, loaded_at.isoformat(sep=" ")),
        )

    def record_listing(self, listed_at: datetime, objects: int) -> None:
        self._change("delete from raw.listings")
        self._change(
            "insert into raw.listings (listed_at, objects) "
            "select cast(? as timestamp), ?",
            *(listed_at.isoformat(sep=" "), objects),
        )

    def note(self, file: str, etag: str, contract: str | None) -> None:
        self._change(
            "update raw.objects set etag = ?, contract = ? where file = ?",
            *(etag, contract, file),
        )
