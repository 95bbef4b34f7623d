"""Load: objects of the source into the raw tables, each once, all or nothing."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from reelhouse.contract import Entity, delivery_of, entities, is_packed, sort_out
from reelhouse.engines.warehouse import (
    ChangedByHand,
    CsvFile,
    LedgerEntry,
    ObjectState,
    Warehouse,
)
from reelhouse.errors import ReelhouseError
from reelhouse.ingest.exactness import ExactLines
from reelhouse.ingest.records import (
    Inspector,
    RefusedObject,
    check_header,
    rewrite,
    unpack,
)
from reelhouse.ingest.rules import FUTURE_ALLOWANCE, future_epoch, why_bad
from reelhouse.ingest.source import Source, check_complete
from reelhouse.locking import fresh_folder, remove_folder
from reelhouse.progress import Progress, adding
from reelhouse.s3 import ObjectChanged, S3Object
from reelhouse.settings import Settings

OnError = Literal["continue", "skip-file", "abort"]

BETWEEN_LOADS = timedelta(seconds=1)
# Fewer bad records do not make a whole file bad, unless they are most of it.
FEW_REJECTS = 50


@dataclass
class LoadReport:
    """What a load found and did; `load_id` is None if nothing had changed.

    `delivery` is the folder of the delivery that was loaded, `waiting` the number of
    deliveries after it.
    """

    load_id: int | None = None
    delivery: str = ""
    waiting: int = 0
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
    """An object on the local disk, whose bytes are known and whose header is right."""

    name: str
    entity: Entity
    listed: S3Object
    path: Path
    facts: Inspector


def load(
    settings: Settings,
    source: Source,
    warehouse: Warehouse,
    *,
    on_error: OnError = "continue",
    accept_shrink: bool = False,
    accept_rejects: bool = False,
    validate: bool = False,
    after: LoadReport | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Bring the raw tables in line with the next delivery, in one transaction.

    That is the first delivery after the newest one that is loaded or, if there is none,
    the last delivery with all its changes. `after` is the previous load: its delivery
    may have changed nothing, and then the ledger has no load for it. With `validate`,
    everything is tried and then rolled back. Raises ReelhouseError if the load must not
    go on; then nothing has changed.
    """

    def once() -> LoadReport:
        with source.opened(), _scratch(settings.warehouse) as scratch:
            tell = progress or (lambda *_: None)
            return _Load(
                *(settings, source, warehouse, scratch, tell),
                *(on_error, accept_rejects, after),
            ).execute(accept_shrink, validate)

    try:
        return once()
    except ObjectChanged:
        return once()


@contextmanager
def _scratch(warehouse: Path) -> Iterator[Path]:
    """A folder for temporary files; what a killed load left there is removed."""
    folder = fresh_folder(warehouse / "scratch")
    try:
        yield folder
    finally:
        remove_folder(folder)


@dataclass
class _Load:
    """One load in progress."""

    settings: Settings
    source: Source
    warehouse: Warehouse
    scratch: Path
    progress: Progress
    on_error: OnError = "continue"
    accept_rejects: bool = False
    after: LoadReport | None = None
    report: LoadReport = field(default_factory=LoadReport)
    now: datetime = field(init=False)
    load_id: int = 0
    # ETags of the objects that were fetched.
    fetched: dict[str, str] = field(default_factory=dict)
    # Entities with objects that were judged by another contract before.
    rejudged: set[str] = field(default_factory=set)
    # Rows that were removed, by entity.
    removed: Counter[str] = field(default_factory=Counter)

    def execute(self, accept_shrink: bool, validate: bool) -> LoadReport:
        self.now = self.settings.now()
        found, early = self._in_time()
        listing = sort_out(list(found))
        listing.hints[:0] = [
            f"the delivery {day} is dated in the future, and waits until then unless "
            f"it is already loaded: rename its folder if the date is wrong"
            for day in early
        ]
        self.report.ignored = len(listing.ignored)
        self.report.hints = listing.hints
        files = listing.as_of(self._next(listing.deliveries))
        check_complete(replace(listing, by_entity=files), self.settings.source)
        self.report.missing = [
            f"{entities()[name].file}.csv" for name, keys in files.items() if not keys
        ]
        owners, listed = {}, {}
        for name, keys in files.items():
            for file, key in keys.items():
                owners[file], listed[file] = entities()[name], found[key]
        # Check this first: in an account, tables change before the transaction begins.
        self._check_source()
        touched = self._touched(listed, owners)
        try:
            with self.warehouse.transaction(touched):
                self._execute(listed, owners, bool(touched))
                if not accept_shrink:
                    self._check_shrink()
                if validate:
                    raise _ValidatedError
        except _ValidatedError:
            self.report.load_id = None
        except Exception:
            # A file that changes while it is read can cause any error.
            if self.source.is_in_place:
                self._check_unchanged()
            raise
        return self.report

    def _in_time(self) -> tuple[dict[str, S3Object], list[str]]:
        """The source's objects, and the deliveries that are dated in the future.

        Their objects are left out, unless loaded already: that would remove rows.
        """
        found, early = self.source.list(), set()
        for key, each in found.items():
            day = delivery_of(key)[0]
            moment = datetime.fromisoformat(day or "1970-01-01").replace(tzinfo=UTC)
            if moment.timestamp() > self._latest(each):
                early.add(day)
        loaded = (self.warehouse.newest_delivery() or "") if early else ""
        for key in [*found]:
            if loaded < delivery_of(key)[0] in early:
                del found[key]
        return found, sorted(early)

    def _next(self, deliveries: list[str]) -> str:
        """Choose the delivery to load, and set it in the report."""
        newest = self.warehouse.newest_delivery() if len(deliveries) > 1 else None
        known = [newest] if newest is not None else []
        known += [self.after.delivery] if self.after else []
        left = [each for each in deliveries if not known or each > max(known)]
        self.report.waiting = max(len(left) - 1, 0)
        self.report.delivery = (left[:1] or deliveries[-1:] or [""])[0]
        return self.report.delivery

    def _touched(
        self, listed: dict[str, S3Object], owners: dict[str, Entity]
    ) -> set[str]:
        """Entities that may have a new, changed or removed object."""
        known = self.warehouse.known_objects()
        if known is None:
            return {*entities()}
        touched = {
            state.entity
            for file, state in known.items()
            if file not in owners or owners[file].name != state.entity
        }
        for file, entity in owners.items():
            state = known.get(file)
            is_same = bool(state and state.etag == listed[file].etag)
            if not state or not self._is_settled(entity, state, listed[file], is_same):
                touched.add(entity.name)
        return touched

    def _execute(
        self,
        listed: dict[str, S3Object],
        owners: dict[str, Entity],
        is_touched: bool,
    ) -> None:
        newest, moment = self.warehouse.newest_load()
        self.load_id = newest + 1
        self.before = self.warehouse.live_rows()
        known = self.warehouse.objects()
        for file in sorted(known, key=str.encode):
            if file not in owners or owners[file].name != known[file].entity:
                self._remove(file, known.pop(file), has_moved=file in owners)
        for key, entity in owners.items():
            self._visit(key, entity, listed[key], known.get(key))
        if self.warehouse.reads_bucket or self.source.is_in_place:
            self._check_unchanged()
        states = known
        self.report.live_rows = self.before
        if is_touched:
            try:
                self.report.live_rows = self.warehouse.live_rows()
            except ChangedByHand as error:
                # The counts were right before, so this load is at fault.
                raise ReelhouseError(
                    f"{error.counts}: nothing is loaded; please report it."
                ) from error
            states = self.warehouse.objects()
        self.report.warnings += _copies(states)
        for entity in entities().values():
            if entity.is_required and not any(
                state.entity == entity.name and state.sha256
                for state in states.values()
            ):
                raise ReelhouseError(
                    f"Every {entity.file} file was refused: correct them, or load "
                    f"with --on-error continue. " + " ".join(self.report.refused)
                )
        self.warehouse.record_listing(self.now, len(owners))
        if self.report.entries:
            self.report.load_id = self.load_id
            self.warehouse.record_load(
                self.load_id,
                uuid.uuid4().hex,
                self.settings.source_name,
                max(self.now, moment + BETWEEN_LOADS) if moment else self.now,
                self.report.delivery,
            )

    def _check_unchanged(self) -> None:
        """Raise ObjectChanged if an object is not the one that was checked."""
        now = self.source.list()
        for key, etag in self.fetched.items():
            found = now.get(key)
            if not found or found.etag != etag:
                address = self.source.address(key)
                raise ObjectChanged(address, is_removed=found is None)

    def _check_source(self) -> None:
        source = self.warehouse.source()
        if source and source != self.settings.source_name:
            raise ReelhouseError(
                f"The warehouse belongs to {source}, not to "
                f"{self.settings.source_name}: {self.warehouse.elsewhere}."
            )

    def _check_shrink(self) -> None:
        """Raise ReelhouseError if an entity loses too many rows.

        Rows that were replaced do not count.
        """
        for name in sorted((+self.removed).keys() - entities().keys()):
            raise ReelhouseError(
                f"models/staging no longer declares {name}, but raw.{name} has "
                f"{self.removed[name]:,} current rows: restore the declaration, or "
                f"load with --accept-shrink, which marks them as removed."
            )
        for name, before in self.before.items():
            limit = before * self.settings.max_shrink
            if self.removed[name] <= limit:
                continue
            lost = self.warehouse.lost(entities()[name], self.load_id)
            if lost > limit:
                cause, check = "", "the delivery"
                if name in self.rejudged:
                    cause = " because the rules for its records changed"
                    check += " and what models/staging declares"
                raise ReelhouseError(
                    f"{entities()[name].file} would lose {lost:,} of its {before:,} "
                    f"rows{cause}, more than the limit of "
                    f"{self.settings.max_shrink:.0%}: check {check}, then load with "
                    f"--accept-shrink (or set REELHOUSE_MAX_SHRINK)."
                )

    def _check_rejects(
        self, fetched: Fetched, rejected: int, reasons: dict[str, int]
    ) -> None:
        """Raise ReelhouseError if too many of an object's records are bad."""
        records, limit = fetched.facts.records, self.settings.max_rejects
        is_few = rejected < FEW_REJECTS and 2 * rejected <= records
        if is_few or self.accept_rejects or rejected <= records * limit:
            return
        reason, count = next(iter(reasons.items()))
        raise ReelhouseError(
            f"{_found_bad(fetched, rejected)} ({rejected / records:.1%}), {count:,} of "
            f"them for '{reason}', more than the limit of {limit:.0%}: correct the "
            f"file, or load with --accept-rejects (or set REELHOUSE_MAX_REJECTS)."
        )

    def _remove(self, file: str, state: ObjectState, has_moved: bool) -> None:
        """Remove the rows of an object that is gone, or has moved to another entity."""
        # An entity that is not declared any more keeps its table.
        entity = entities().get(state.entity, Entity(state.entity, ()))
        removed = self.warehouse.remove(entity.name, file, self.load_id)
        self.warehouse.remove("rejects", file, self.load_id)
        if entity.name in entities() or not has_moved:
            self.removed[entity.name] += removed
        if not has_moved:
            self._record(
                *(file, entity.name, state.etag, state.sha256, "removed"),
                rows_removed=removed,
            )

    def _visit(
        self,
        file: str,
        entity: Entity,
        listed: S3Object,
        state: ObjectState | None,
    ) -> None:
        is_listed = bool(state and listed.etag == state.etag)
        if state and self._is_settled(entity, state, listed, is_listed):
            self._settle(file, bool(state.refused_sha256))
            return
        path = self.scratch / "object.csv"
        self.fetched[listed.key] = listed.etag
        facts = self._fetch(entity, listed, path)
        seen = state and facts.sha256 == (state.refused_sha256 or state.sha256)
        if state and self._is_settled(entity, state, listed, bool(seen)):
            self._settle(file, bool(state.refused_sha256))
            self.warehouse.note(file, listed.etag, state.contract)
            return
        try:
            if is_packed(listed.key):
                facts.line_breaks = 0  # the number of records is not known yet
                facts = unpack(path, entity, facts, listed.key)
            check_header(path, entity, listed.key)
            fetched = Fetched(file, entity, listed, path, facts)
            self._take(fetched, state if state and state.sha256 else None)
        except RefusedObject as refusal:
            if self.on_error != "skip-file":
                raise
            self._refuse(file, entity, listed, state, facts, str(refusal))
        finally:
            path.unlink(missing_ok=True)

    def _is_settled(
        self, entity: Entity, state: ObjectState, listed: S3Object, is_same: bool
    ) -> bool:
        """Whether an object needs no second look.

        It needs one if it changed, was refused (except with skip-file), was judged by
        another contract, was loaded and then refused, or has a future reject now due.
        """
        refused = state.refused_sha256
        epoch = state.future_epoch
        return not (
            not is_same
            or state.contract != entity.contract
            or (refused and self.on_error != "skip-file")
            or (refused and refused == state.sha256)
            or (not refused and epoch is not None and epoch <= self._latest(listed))
        )

    def _latest(self, listed: S3Object) -> int:
        """The latest time that is not in the future, for the records of an object.

        This machine's clock or the storage's may be wrong, so the later one counts.
        """
        now = self.now.replace(tzinfo=UTC)
        moment = max(now, listed.last_modified).timestamp()
        return int(moment + FUTURE_ALLOWANCE.total_seconds())

    def _settle(self, file: str, is_refused: bool) -> None:
        if is_refused:
            self.report.refused.append(f"{file} has not changed since it was refused.")
        self.report.unchanged += 1

    def _fetch(self, entity: Entity, listed: S3Object, path: Path) -> Inspector:
        return self.source.fetch(
            listed,
            path,
            lambda: Inspector(ExactLines(entity)),
            adding(self.progress, listed.key, listed.size),
        )

    def _take(self, fetched: Fetched, state: ObjectState | None) -> None:
        """Load one object; raise RefusedObject if it may not have rejects but does."""
        entity, facts = fetched.entity, fetched.facts
        rows, rejected = self._judge(fetched, bool(state))
        if rows + rejected != facts.records:
            raise ReelhouseError(
                f"{fetched.name} has {facts.records:,} records, but they became "
                f"{rows:,} rows and {rejected:,} rejects: nothing is loaded; please "
                f"report this file."
            )
        if rejected and self.on_error != "continue":
            first = self.warehouse.first_rejects(fetched.name, self.load_id)
            self.warehouse.undo(entity, fetched.name, self.load_id)
            raise RefusedObject(_describe(fetched, rejected, first))
        new, removed = rows, 0
        if state:
            if state.contract != entity.contract:
                self.rejudged.add(entity.name)
            new, removed = self.warehouse.replace(entity, fetched.name, self.load_id)
            self.removed[entity.name] += removed
        if (
            state
            and (facts.sha256, None) == (state.sha256, state.refused_sha256)
            and not (new or removed)
            and self.warehouse.has_same_rejects(fetched.name)
        ):
            # The contract changed, but the result is the same.
            self.warehouse.undo(entity, fetched.name, self.load_id)
            self.warehouse.note(fetched.name, fetched.listed.etag, entity.contract)
            self._settle(fetched.name, is_refused=False)
            return
        self.warehouse.remove("rejects", fetched.name, self.load_id)
        if rejected:
            reasons = self.warehouse.reject_reasons(fetched.name, self.load_id)
            self._check_rejects(fetched, rejected, reasons)
            for reason, count in reasons.items():
                self.report.reject_reasons[fetched.name, reason] = count
        if not facts.records:
            self.report.warnings.append(f"{fetched.name} has a header but no records.")
        self._record(
            *(fetched.name, entity.name, fetched.listed.etag, facts.sha256),
            "replaced" if state else "loaded",
            size_bytes=facts.size,
            records=facts.records,
            rows_loaded=rows,
            rows_new=new,
            rows_rejected=rejected,
            rows_removed=removed,
        )

    def _judge(self, fetched: Fetched, is_known: bool) -> tuple[int, int]:
        """Load an object's records; return the numbers of rows and of rejects.

        Rows of a known object are landed for a comparison, others are inserted
        directly. A plain file is read as it is; if the engine does not find every
        record in it, or the file is not plain, it is rewritten.
        """
        entity, facts, file = fetched.entity, fetched.facts, fetched.name
        warehouse, load_id = self.warehouse, self.load_id
        latest = self._latest(fetched.listed)

        def insert(csv_file: CsvFile) -> tuple[int, int]:
            why = why_bad(entity, warehouse, latest, csv_file.is_exact)
            if is_known:
                rows = warehouse.land(entity, csv_file, why)
            else:
                rows = warehouse.insert_new(entity, csv_file, why, file, load_id)
            if rows == facts.records:
                return rows, 0
            why = why_bad(entity, warehouse, latest)
            epoch = future_epoch(entity, warehouse)
            return rows, warehouse.insert_rejects(
                entity, csv_file, why, epoch, file, load_id
            )

        if facts.is_plain_table(len(entity.file_columns)):
            key = fetched.listed.key
            found = insert(CsvFile(fetched.path, False, facts.is_exact, key))
            if sum(found) == facts.records:
                return found
            warehouse.undo(entity, file, load_id)
        rewritten = self.scratch / "rewritten.csv"
        rewrite(fetched.path, rewritten, entity)
        found = insert(CsvFile(rewritten, True))
        rewritten.unlink()
        return found

    def _refuse(
        self,
        file: str,
        entity: Entity,
        listed: S3Object,
        state: ObjectState | None,
        facts: Inspector,
        reason: str,
    ) -> None:
        if state and facts.sha256 == state.refused_sha256:
            # Refused by another contract too; rows keep the contract that judged them.
            contract = state.contract if state.sha256 else entity.contract
            self.warehouse.note(file, listed.etag, contract)
            self._settle(file, is_refused=True)
            return
        self.report.refused.append(reason)
        self._record(
            *(file, entity.name, listed.etag, facts.sha256, "refused"),
            size_bytes=facts.size,
            records=max(facts.records, 0),
        )

    def _record(
        self,
        file: str,
        entity: str,
        etag: str,
        sha256: str | None,
        status: str,
        **counts: int,
    ) -> None:
        """Record in the ledger what was done to an object."""
        entry = LedgerEntry(self.load_id, file, entity, etag, sha256, status, **counts)
        self.warehouse.record(entry)
        self.report.entries.append(entry)


class _ValidatedError(Exception):
    """Ends a trial load, so that its transaction is rolled back."""


def _copies(states: dict[str, ObjectState]) -> list[str]:
    """A warning for every object that holds the same bytes as another."""
    first: dict[tuple[str, str], str] = {}
    copies = []
    for file, state in sorted(states.items()):
        if state.sha256:
            original = first.setdefault((state.entity, state.sha256), file)
            if original != file:
                copies.append(f"{file} has the same bytes as {original}.")
    return copies


def _describe(fetched: Fetched, rejected: int, first: list[tuple[int, str]]) -> str:
    shown = "; ".join(f"record {number}: {reason}" for number, reason in first)
    more = "; …" if rejected > len(first) else ""
    return (
        f"{_found_bad(fetched, rejected)} ({shown}{more}): correct it, or load with "
        f"--on-error continue to keep them aside."
    )


def _found_bad(fetched: Fetched, rejected: int) -> str:
    plural = "" if rejected == 1 else "s"
    among = f"{fetched.facts.records:,}"
    return f"{fetched.name} has {rejected:,} bad record{plural} among {among}"
