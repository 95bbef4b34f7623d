"""Load: from the bucket into the raw tables, each object once, all or nothing."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from reelhouse.contract import Entity, Listing, entities, sort_out
from reelhouse.engines.warehouse import (
    CsvFile,
    LedgerEntry,
    ObjectState,
    Reject,
    Warehouse,
)
from reelhouse.errors import ReelhouseError
from reelhouse.ingest.exactness import ExactLines
from reelhouse.ingest.records import (
    Facts,
    Inspector,
    RefusedObject,
    check_header,
    split,
    texts,
)
from reelhouse.ingest.rules import entity_rules
from reelhouse.ingest.source import Source, check_complete
from reelhouse.progress import Progress
from reelhouse.s3 import ObjectChanged, S3Object
from reelhouse.settings import Settings

OnError = Literal["continue", "skip-file", "abort"]

RELISTINGS = 1
BETWEEN_LOADS = timedelta(seconds=1)
SHOWN_REJECTS = 3


@dataclass
class LoadReport:
    """What a load found and did; `load_id` is None where nothing had changed."""

    load_id: int | None = None
    entries: list[LedgerEntry] = field(default_factory=list)
    unchanged: int = 0
    ignored: int = 0
    hints: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    reject_reasons: dict[tuple[str, str], int] = field(default_factory=dict)
    live_rows: dict[str, int] = field(default_factory=dict)

    @property
    def rejected(self) -> int:
        return sum(self.reject_reasons.values())


@dataclass(frozen=True)
class Fetched:
    """An object on the local disk, its bytes known and its header right."""

    name: str
    entity: Entity
    listed: S3Object
    path: Path
    facts: Facts


def load(
    settings: Settings,
    source: Source,
    warehouse: Warehouse,
    *,
    on_error: OnError = "continue",
    accept_shrink: bool = False,
    validate: bool = False,
    progress: Progress | None = None,
) -> LoadReport:
    """Bring the raw tables in line with the bucket, in one transaction.

    With `validate` everything is tried and then rolled back. Raises ReelhouseError
    where the load must not go on; nothing has changed then.
    """
    for attempt in range(RELISTINGS + 1):
        try:
            run = _Load(settings, source, warehouse, on_error, progress)
            with source.opened(), _scratch(settings.warehouse) as scratch:
                return run.execute(scratch, accept_shrink, validate)
        except ObjectChanged:
            if attempt == RELISTINGS:
                raise
    raise AssertionError("unreachable")


@contextmanager
def _scratch(warehouse: Path) -> Iterator[Path]:
    """A folder for what is under way; what a killed load left there is cleared."""
    folder = warehouse / "scratch"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Load:
    """One load in progress."""

    def __init__(
        self,
        settings: Settings,
        source: Source,
        warehouse: Warehouse,
        on_error: OnError,
        progress: Progress | None,
    ) -> None:
        self.settings = settings
        self.source = source
        self.warehouse = warehouse
        self.on_error = on_error
        self.progress = progress or (lambda *_: None)
        self.report = LoadReport()
        self.load_id = 0
        # ETags of the objects that were looked into.
        self.fetched: dict[str, str] = {}
        # Entities with objects that were judged by another contract before.
        self.rejudged: set[str] = set()

    def execute(self, scratch: Path, accept_shrink: bool, validate: bool) -> LoadReport:
        listed = self.source.list()
        listing = sort_out(list(listed))
        check_complete(listing, self.settings.source)
        self.report.ignored = len(listing.ignored)
        self.report.hints = listing.hints
        self.report.missing = [
            f"{entities()[name].file}.csv"
            for name, keys in listing.by_entity.items()
            if not keys
        ]
        # First of all, since an account's tables change before the transaction begins.
        self._check_source()
        try:
            with self.warehouse.transaction():
                self.warehouse.make_tables()
                self._execute(listed, listing, scratch)
                if not accept_shrink:
                    self._check_shrink()
                if validate:
                    raise _ValidatedError
        except _ValidatedError:
            self.report.load_id = None
        except Exception:
            # Of a file that changes while it is read, anything may be said.
            if self.source.is_in_place:
                self._check_unchanged()
            raise
        return self.report

    def _execute(
        self, listed: dict[str, S3Object], listing: Listing, scratch: Path
    ) -> None:
        newest, moment = self.warehouse.newest_load()
        self.load_id = newest + 1
        self.before = self._live_rows()
        owners = {
            key: entities()[name]
            for name, keys in listing.by_entity.items()
            for key in keys
        }
        known = self.warehouse.objects()
        for file in sorted(known, key=str.encode):
            if file not in owners or owners[file].name != known[file].entity:
                self._remove(file, known.pop(file), has_moved=file in owners)
        for key, entity in owners.items():
            self._visit(entity, listed[key], known.get(key), scratch)
        if self.warehouse.reads_bucket or self.source.is_in_place:
            self._check_unchanged()
        self.report.live_rows = self._live_rows()
        states = self.warehouse.objects()
        self.report.warnings += _copies(states)
        for entity in entities().values():
            if entity.is_required and not any(
                state.entity == entity.name and state.sha256
                for state in states.values()
            ):
                raise ReelhouseError(
                    f"Every {entity.file} file was refused: mend them or load with "
                    f"--on-error continue. " + " ".join(self.report.refused)
                )
        now = self.settings.now()
        self.warehouse.record_listing(now, len(owners))
        if self.report.entries:
            self.report.load_id = self.load_id
            self.warehouse.record_load(
                self.load_id,
                uuid.uuid4().hex,
                self.settings.source_name,
                max(now, moment + BETWEEN_LOADS) if moment else now,
            )

    def _check_unchanged(self) -> None:
        """Raise ObjectChanged where an object is not the one that was checked."""
        now = self.source.list()
        for file, etag in self.fetched.items():
            found = now.get(file)
            if not found or found.etag != etag:
                address = self.source.address(file)
                raise ObjectChanged(address, is_removed=found is None)

    def _check_source(self) -> None:
        source = self.warehouse.source()
        if source and source != self.settings.source_name:
            raise ReelhouseError(
                f"The warehouse belongs to {source}, not to "
                f"{self.settings.source_name}: {self.warehouse.elsewhere}."
            )

    def _live_rows(self) -> dict[str, int]:
        return {e.name: self.warehouse.live_rows(e) for e in entities().values()}

    def _check_shrink(self) -> None:
        for name, before in self.before.items():
            after = self.report.live_rows[name]
            if before and after < before * (1 - self.settings.max_shrink):
                cause, check = "", "the delivery"
                if name in self.rejudged:
                    cause = " now that other rules judge its records"
                    check += " and what models/staging declares"
                raise ReelhouseError(
                    f"{entities()[name].file} would shrink from {before:,} to "
                    f"{after:,} rows{cause}, more than the "
                    f"{self.settings.max_shrink:.0%} that may go unasked: check "
                    f"{check}, then load with --accept-shrink (or set "
                    f"REELHOUSE_MAX_SHRINK)."
                )

    def _remove(self, file: str, state: ObjectState, has_moved: bool) -> None:
        """Remove the rows of an object that is gone, or has moved to another entity."""
        # An entity that is declared no more keeps its table.
        entity = entities().get(state.entity, Entity(state.entity, ()))
        removed = self.warehouse.remove(entity, file, self.load_id)
        self.warehouse.drop_rejects(file, self.load_id)
        if has_moved:
            return
        self._record(
            LedgerEntry(
                load_id=self.load_id,
                file=file,
                entity=entity.name,
                etag=state.etag,
                sha256=state.sha256,
                size_bytes=0,
                records=0,
                rows_loaded=0,
                rows_new=0,
                rows_rejected=0,
                rows_removed=removed,
                status="removed",
            )
        )

    def _visit(
        self,
        entity: Entity,
        listed: S3Object,
        state: ObjectState | None,
        scratch: Path,
    ) -> None:
        is_listed = bool(state and listed.etag == state.etag)
        if state and self._is_settled(entity, state, listed.key, is_listed):
            return
        path = scratch / "object.csv"
        self.fetched[listed.key] = listed.etag
        facts = self._fetch(entity, listed, path)
        seen = state and facts.sha256 == (state.refused_sha256 or state.sha256)
        if state and self._is_settled(entity, state, listed.key, bool(seen)):
            self.warehouse.note(listed.key, listed.etag, state.contract)
            return
        try:
            check_header(path, entity, listed.key)
            fetched = Fetched(listed.key, entity, listed, path, facts)
            self._take(fetched, state if state and state.sha256 else None, scratch)
        except RefusedObject as refusal:
            if self.on_error != "skip-file":
                raise
            self._refuse(entity, listed, state, facts, str(refusal))
        finally:
            path.unlink(missing_ok=True)

    def _is_settled(
        self, entity: Entity, state: ObjectState, file: str, is_same: bool
    ) -> bool:
        """Whether an object needs no second look; a refused one gets it unasked.

        So does one that was judged by another contract, or whose loaded bytes were
        refused by another.
        """
        refused = state.refused_sha256
        if (
            not is_same
            or state.contract != entity.contract
            or (refused and self.on_error != "skip-file")
            or (refused and refused == state.sha256)
        ):
            return False
        self._settle(file, bool(refused))
        return True

    def _settle(self, file: str, is_refused: bool) -> None:
        if is_refused:
            self.report.refused.append(f"{file} is still the one that was refused.")
        self.report.unchanged += 1

    def _fetch(self, entity: Entity, listed: S3Object, path: Path) -> Facts:
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self.progress(listed.key, done, listed.size)

        inspector = self.source.fetch(
            listed, path, lambda: Inspector(ExactLines(entity)), advance
        )
        return inspector.facts()

    def _take(self, fetched: Fetched, state: ObjectState | None, scratch: Path) -> None:
        """Load one object; RefusedObject where it may not have rejects."""
        entity, facts = fetched.entity, fetched.facts
        rows, rejects = self._insert(fetched, bool(state), scratch)
        if rows + len(rejects) != facts.records:
            raise ReelhouseError(
                f"{fetched.name} has {facts.records:,} records, but {rows:,} rows and "
                f"{len(rejects):,} rejects were made of them: nothing is loaded; "
                f"please report this file."
            )
        if rejects and self.on_error != "continue":
            if not state:
                self.warehouse.undo_insert(entity, fetched.name, self.load_id)
            raise RefusedObject(_describe(fetched, rejects, facts.records))
        new, removed = rows, 0
        if state:
            if state.contract != entity.contract:
                self.rejudged.add(entity.name)
            new, removed = self.warehouse.replace(entity, fetched.name, self.load_id)
        live = self.warehouse.live_rows(entity, fetched.name)
        if live != rows:
            raise ReelhouseError(
                f"{fetched.name}: {rows:,} rows were read, but {live:,} are live in "
                f"raw.{entity.name}: nothing is loaded; please report this file."
            )
        if (
            state
            and (facts.sha256, None) == (state.sha256, state.refused_sha256)
            and not (new or removed)
            and rejects == self.warehouse.rejects(fetched.name)
        ):
            # Another contract, and the same verdict.
            self.warehouse.note(fetched.name, fetched.listed.etag, entity.contract)
            self._settle(fetched.name, is_refused=False)
            return
        self.warehouse.drop_rejects(fetched.name, self.load_id)
        self.warehouse.keep_rejects(
            entity,
            fetched.name,
            self.load_id,
            texts(fetched.path, rejects),
            scratch / "rejects.csv",
        )
        for reject in rejects:
            reason = (fetched.name, reject.reason)
            reasons = self.report.reject_reasons
            reasons[reason] = reasons.get(reason, 0) + 1
        if not facts.records:
            self.report.warnings.append(f"{fetched.name} holds a header and no record.")
        self._record(
            LedgerEntry(
                load_id=self.load_id,
                file=fetched.name,
                entity=entity.name,
                etag=fetched.listed.etag,
                sha256=facts.sha256,
                size_bytes=facts.size,
                records=facts.records,
                rows_loaded=rows,
                rows_new=new,
                rows_rejected=len(rejects),
                rows_removed=removed,
                status="replaced" if state else "loaded",
            )
        )

    def _insert(
        self, fetched: Fetched, is_known: bool, scratch: Path
    ) -> tuple[int, list[Reject]]:
        """Rows made of an object's good records, and its bad records, sorted.

        A known object's rows are landed for a comparison, another's go straight in.
        A plain file is read as it is; if the engine does not find every record in
        it, or the file is not plain, it is taken apart line by line.
        """
        entity, facts = fetched.entity, fetched.facts
        rules = entity_rules(
            entity, self.warehouse.dialect, fetched.listed.last_modified
        )

        def insert(csv_file: CsvFile, records: int) -> tuple[int, list[Reject]]:
            if is_known:
                rows = self.warehouse.land(entity, csv_file, rules)
            else:
                rows = self.warehouse.insert_new(
                    entity, csv_file, rules, fetched.name, self.load_id
                )
            if rows == records:
                return rows, []
            return rows, self.warehouse.bad_records(entity, csv_file, rules)

        if facts.is_plain_table(len(entity.file_columns)):
            plain = CsvFile(fetched.path, False, facts.is_exact, fetched.name)
            rows, rejects = insert(plain, facts.records)
            if rows + len(rejects) == facts.records:
                return rows, rejects
            if not is_known:
                self.warehouse.undo_insert(entity, fetched.name, self.load_id)
        clean = scratch / "clean.csv"
        malformed = split(fetched.path, clean, entity)
        rows, rejects = insert(CsvFile(clean, True), facts.records - len(malformed))
        clean.unlink()
        return rows, sorted(malformed + rejects, key=lambda bad: bad.record_number)

    def _refuse(
        self,
        entity: Entity,
        listed: S3Object,
        state: ObjectState | None,
        facts: Facts,
        reason: str,
    ) -> None:
        if state and facts.sha256 == state.refused_sha256:
            # Another contract refuses it as well; rows stay those of their own.
            contract = state.contract if state.sha256 else entity.contract
            self.warehouse.note(listed.key, listed.etag, contract)
            self._settle(listed.key, is_refused=True)
            return
        self.report.refused.append(reason)
        self._record(
            LedgerEntry(
                load_id=self.load_id,
                file=listed.key,
                entity=entity.name,
                etag=listed.etag,
                sha256=facts.sha256,
                size_bytes=facts.size,
                records=max(facts.records, 0),
                rows_loaded=0,
                rows_new=0,
                rows_rejected=0,
                rows_removed=0,
                status="refused",
            )
        )

    def _record(self, entry: LedgerEntry) -> None:
        self.warehouse.record(entry)
        self.report.entries.append(entry)


class _ValidatedError(Exception):
    """Ends a trial load, so that its transaction is rolled back."""


def _copies(states: dict[str, ObjectState]) -> list[str]:
    """A word on every object that holds the same bytes as another."""
    first: dict[tuple[str, str], str] = {}
    copies = []
    for file, state in sorted(states.items()):
        if state.sha256:
            original = first.setdefault((state.entity, state.sha256), file)
            if original != file:
                copies.append(f"{file} holds the same bytes as {original}.")
    return copies


def _describe(fetched: Fetched, rejects: list[Reject], records: int) -> str:
    shown = "; ".join(
        f"record {reject.record_number}: {reject.reason}"
        for reject in rejects[:SHOWN_REJECTS]
    )
    plural = "" if len(rejects) == 1 else "s"
    more = "; …" if len(rejects) > SHOWN_REJECTS else ""
    return (
        f"{fetched.name} has {len(rejects):,} bad record{plural} among {records:,} "
        f"({shown}{more}): mend it, or load with --on-error continue to keep them "
        f"aside."
    )
