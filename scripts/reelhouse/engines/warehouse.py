"""What a loader needs of an engine, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from reelhouse.contract import Entity
from reelhouse.errors import ReelhouseError

# A record that is longer, its line break left out, is no record.
MAX_LINE_BYTES = 65_536

# What is said of a question that is not one select.
ONE_SELECT = "Ask one question at a time: write one select."

# The rows of an answer.
Ask = Callable[[str], list[tuple[Any, ...]]]
# The names of an answer's columns, in lower case from Snowflake, and its rows.
Answer = tuple[list[str], list[tuple[Any, ...]]]
Answering = Callable[[str], Answer]


class CannotAnswer(ReelhouseError):
    """A question that an engine refuses; the message is the engine's first line."""


class Dialect(Protocol):
    """SQL expressions over text that differ between engines."""

    def whole_text(self, text: str, pattern: str) -> str:
        """Condition: the whole text matches a regular expression."""

    def try_cast(self, text: str, data_type: str) -> str:
        """The text as a value of the type, null where it is none."""

    def as_text(self, value: str) -> str:
        """A whole number as text, digits alone."""


@dataclass(frozen=True)
class Rule:
    """A condition that a good record meets, and the reason to give if it does not.

    `is_of_form` marks what holds for any number that `ExactLines` finds exact.
    """

    condition: str
    reason: str
    is_of_form: bool = False


@dataclass(frozen=True)
class Reject:
    """A record kept aside: its number (1 is the line after the header) and why."""

    record_number: int
    reason: str


@dataclass(frozen=True)
class ObjectState:
    """What the ledger knows of an object; no `sha256` where none of it was loaded.

    `contract` is that by which its rows and rejects were judged, None before there
    were any.
    """

    entity: str
    etag: str
    sha256: str | None
    refused_sha256: str | None
    contract: str | None


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


@dataclass(frozen=True)
class CsvFile:
    """A local CSV file to read: as delivered, or numbered by `records.split`.

    It may be read by type instead of as text where `is_exact` says that this changes no
    value. `key` is that of the object that it holds, as delivered.
    """

    path: Path
    is_numbered: bool
    is_exact: bool = False
    key: str | None = None


class Warehouse(Protocol):
    """The raw tables, open for a load, which is one transaction."""

    @property
    def dialect(self) -> Dialect:
        """How the engine writes the expressions that rules are made of."""

    @property
    def reads_bucket(self) -> bool:
        """Whether it may read objects in the bucket, after they were checked here."""

    def make_tables(self) -> None:
        """Make the raw tables as they are declared, or bring them in line with that.

        Raises ReelhouseError where a value that is kept would not stay the same.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end, or roll all of it back."""

    def source(self) -> str | None:
        """The source that the warehouse belongs to; None before the first load."""

    def newest_load(self) -> tuple[int, datetime | None]:
        """The greatest number and moment of a load, 0 and None before the first.

        A load that only the state of dbt's nodes knows of counts, too: the raw tables
        may have been put back to an earlier state.
        """

    def objects(self) -> dict[str, ObjectState]:
        """Live objects by file."""

    def live_rows(self, entity: Entity, file: str | None = None) -> int:
        """Live rows of an entity, or of one of its objects."""

    def insert_new(
        self,
        entity: Entity,
        csv_file: CsvFile,
        rules: list[Rule],
        file: str,
        load_id: int,
    ) -> int:
        """Insert the good records of an object that has no live rows; their number."""

    def undo_insert(self, entity: Entity, file: str, load_id: int) -> None:
        """Take back what `insert_new` put in during this load."""

    def bad_records(
        self, entity: Entity, csv_file: CsvFile, rules: list[Rule]
    ) -> list[Reject]:
        """The records that break a rule, by number, each with its first reason.

        The file is the one that was inserted or landed last.
        """

    def land(self, entity: Entity, csv_file: CsvFile, rules: list[Rule]) -> int:
        """Put the good records of an object aside for a comparison; their number."""

    def replace(self, entity: Entity, file: str, load_id: int) -> tuple[int, int]:
        """Compare the landed records with the object's live rows: (new, removed).

        Rows that are the same keep their load; rows that are gone are marked; new
        ones are inserted. Where a later record overrules an earlier one of its key,
        the place among the records of the key belongs to a row's identity.
        """

    def remove(self, entity: Entity, file: str, load_id: int) -> int:
        """Mark all live rows of an object as removed; their number."""

    def rejects(self, file: str) -> list[Reject]:
        """The rejected records of an object, by number."""

    def drop_rejects(self, file: str, load_id: int) -> None:
        """Mark the rejected records of an object as removed."""

    def keep_rejects(
        self,
        entity: Entity,
        file: str,
        load_id: int,
        rejects: Iterable[tuple[Reject, str]],
        scratch: Path,
    ) -> None:
        """Keep rejected records, which may pass through the file `scratch`."""

    def record(self, entry: LedgerEntry) -> None:
        """Write what this load did to an object into the ledger."""

    def record_load(
        self, load_id: int, load_key: str, source: str, loaded_at: datetime
    ) -> None:
        """Write down a load."""

    def record_listing(self, listed_at: datetime, objects: int) -> None:
        """Write down when the source was last listed, and how many objects it had."""

    def note(self, file: str, etag: str, contract: str | None) -> None:
        """Remember that an object was looked at and is as it was."""
