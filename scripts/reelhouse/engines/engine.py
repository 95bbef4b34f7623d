"""Engine: the interface of all engines, and which engine a target has."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from reelhouse.engines.duckdb.backup import Recovery
from reelhouse.engines.publication import Build, Publication
from reelhouse.engines.warehouse import Answering, Ask, Lasting, Warehouse
from reelhouse.settings import Settings


class Attempt(Protocol):
    """The workspace of a run, in which nothing takes effect until the last step.

    `folder` is the warehouse folder for dbt, `lacks_history` says whether history has
    to be recorded from the raw rows. `former_source` is the source of files that could
    not be reused, `aside` where they were put, `recovery` what was kept of unreadable
    files; `has_unreadable_backup` says that an unreadable backup was put there too.
    """

    folder: Path
    lacks_history: bool
    former_source: str | None
    recovery: Recovery | None
    aside: Path | None
    has_unreadable_backup: bool

    def open(self) -> AbstractContextManager[Warehouse]:
        """Open the raw tables for a load."""

    def prepare(self) -> None:
        """Prepare to undo what is about to be built."""

    def drop_history(self) -> list[int]:
        """Drop what a rebuild records again; return the numbers of all loads in raw."""

    def asking(self) -> AbstractContextManager[Ask]:
        """Open a function that queries this attempt's warehouse."""

    def keep_failed(self, messages: list[str]) -> Path | None:
        """Keep a failed build for inspection; return its folder, if there is one.

        `messages` are dbt's. Raises ReelhouseError if they report a fault that no edit
        fixes, such as a full disk or a damaged file.
        """

    def back_up(self) -> bool:
        """Write a backup, valid once the work is kept; return whether there is one."""

    def up_to_date(self, build: Build) -> Publication | None:
        """The current publication if publishing the build would change nothing."""

    def skip_publish(self) -> None:
        """Keep the work, and leave what is published as it is."""

    def publish(self, build: Build) -> Publication:
        """Publish the build, and keep the work."""


class Engine(Protocol):
    """What each engine offers for the warehouse of the given settings."""

    def open_warehouse(self, settings: Settings) -> AbstractContextManager[Warehouse]:
        """Open the raw tables for a load."""

    def open_trial(
        self, settings: Settings, scratch: Path
    ) -> AbstractContextManager[Warehouse]:
        """Open the raw tables, or new ones in `scratch`, for a load to roll back."""

    def asking(self, settings: Settings) -> AbstractContextManager[Ask]:
        """Open a function that queries the warehouse; ReelhouseError without one."""

    def attempt(
        self, settings: Settings, lasting: Lasting, rebuild: bool
    ) -> AbstractContextManager[Attempt]:
        """Begin an attempt at a run; what it has not kept at the end is undone.

        `lasting` returns the tables that builds add to, as schema.table by unique id.
        """

    def publish(self, settings: Settings, build: Build) -> Publication:
        """Publish a build to readers, in one step."""

    def check_question(self, question: str) -> None:
        """Raise ReelhouseError unless it is one select."""

    def reading(self, settings: Settings) -> AbstractContextManager[Answering]:
        """Open a function that queries the published tables and may raise CannotAnswer.

        Raises ReelhouseError if nothing is published.
        """

    def published_file(self, settings: Settings, scratch: Path) -> Path:
        """The published tables as a DuckDB file, perhaps a new one in `scratch`."""


def engine_of(settings: Settings) -> Engine:
    """The engine of a target."""
    if settings.is_snowflake:
        from reelhouse.engines.snowflake import engine as snowflake

        return snowflake
    from reelhouse.engines.duckdb import engine as duckdb

    return duckdb
