"""Engine: what the package asks of an engine, and which one a target has."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from reelhouse.engines.duckdb.backup import Recovery
from reelhouse.engines.publication import Build, Publication
from reelhouse.engines.warehouse import Answering, Ask, Lasting, Warehouse
from reelhouse.settings import Settings


class Attempt(Protocol):
    """Where a run works, so that nothing has happened until its last step.

    `folder` is what dbt takes for the warehouse's, `lacks_history` tells whether it is
    to be recorded from the raw rows. `former_source` is the source of files that could
    not be built upon, `aside` where they went, `recovery` what was kept of files that
    could not be read; `has_unreadable_backup` tells of a backup that went there, too.
    """

    folder: Path
    lacks_history: bool
    former_source: str | None
    recovery: Recovery | None
    aside: Path | None
    has_unreadable_backup: bool

    def open(self) -> AbstractContextManager[Warehouse]:
        """The raw tables, for a load."""

    def prepare(self) -> None:
        """Make ready to undo what is about to be built."""

    def drop_history(self) -> list[int]:
        """Drop what a rebuild records again; the loads that raw knows."""

    def asking(self) -> AbstractContextManager[Ask]:
        """A way to ask what is here."""

    def keep_failed(self, messages: list[str]) -> Path | None:
        """Keep what has failed for a look at it; where, if anywhere.

        `messages` are dbt's. Raises ReelhouseError where they tell of a fault that no
        edit mends, such as a full disk or a damaged file.
        """

    def back_up(self) -> bool:
        """Write a backup, which counts once the work is kept; whether there is one."""

    def up_to_date(self, build: Build) -> Publication | None:
        """What is published, if publishing the build would change nothing."""

    def skip_publish(self) -> None:
        """Keep the work, and what is published as it is."""

    def publish(self, build: Build) -> Publication:
        """Publish the build, and keep the work."""


class Engine(Protocol):
    """What each engine offers for the warehouse of some settings."""

    def open_warehouse(self, settings: Settings) -> AbstractContextManager[Warehouse]:
        """The raw tables, open for a load."""

    def open_trial(
        self, settings: Settings, scratch: Path
    ) -> AbstractContextManager[Warehouse]:
        """The raw tables for a load that is rolled back, or new ones in `scratch`."""

    def asking(self, settings: Settings) -> AbstractContextManager[Ask]:
        """A way to ask what is built; ReelhouseError where there is no warehouse."""

    def attempt(
        self, settings: Settings, lasting: Lasting, rebuild: bool
    ) -> AbstractContextManager[Attempt]:
        """An attempt at a run; what is left of it at the end of the block is undone.

        `lasting` tells the tables, as schema.table, that builds add to, by unique id.
        """

    def publish(self, settings: Settings, build: Build) -> Publication:
        """Show a build to readers, in one step."""

    def check_question(self, question: str) -> None:
        """Raise ReelhouseError unless it is one select."""

    def reading(self, settings: Settings) -> AbstractContextManager[Answering]:
        """A way to ask the published tables, which may raise CannotAnswer.

        Raises ReelhouseError where nothing is published.
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
