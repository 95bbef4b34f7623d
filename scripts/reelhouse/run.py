"""Run: the whole way from the source to the published tables, as one transaction.

Locally everything happens in a copy of the warehouse file, which takes the place of
the old one when all is well. In an account it happens in place, and is undone from
clones. Whatever goes wrong, the warehouse is as it was.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from reelhouse.build import BuildReport, build, lasting_tables
from reelhouse.engines import snowflake
from reelhouse.engines.duckdb import UnreadableWarehouse, connect, open_warehouse
from reelhouse.engines.snowflake_run import Account
from reelhouse.engines.warehouse import Warehouse
from reelhouse.errors import ReelhouseError
from reelhouse.load import LoadReport, OnError, load
from reelhouse.locking import full_disk, is_of_full_disk, writing
from reelhouse.publish import Publication, prepare, put_in_place
from reelhouse.settings import Settings
from reelhouse.source import open_source

Progress = Callable[[str, int, int], None]

# They test the models, and no data.
UNIT_TESTS_LEFT_OUT = ("--exclude-resource-type", "unit_test")


class BuildFailed(ReelhouseError):
    """The build has failures; the report names them."""

    def __init__(self, report: BuildReport, failed: Path | None) -> None:
        self.report = report
        self.failed = failed
        count = len(report.failures)
        kept = f"the failed one is kept in {failed}" if failed else "so is its history"
        super().__init__(
            f"{report.failures[0].name}{' and others' if count > 1 else ''} failed, so "
            f"nothing is published and the warehouse is as it was; {kept}."
        )


@dataclass
class RunReport:
    """What a run did; `aside` is where files went that it could not build upon.

    They are those of `former_source` or, where that is None, could not be read.
    """

    loaded: LoadReport = field(default_factory=LoadReport)
    built: BuildReport = field(default_factory=BuildReport)
    published: Publication | None = None
    aside: Path | None = None
    former_source: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def run(
    settings: Settings,
    *,
    on_error: OnError = "continue",
    accept_shrink: bool = False,
    rebuild: bool = False,
    build_arguments: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> RunReport:
    """Upload (a folder), load, build and publish; all of it, or nothing.

    `build_arguments` go to `dbt build`; what is left out by them keeps the build
    from being published, but for unit tests.
    Raises ReelhouseError; BuildFailed where models or tests failed.
    """
    report = RunReport()
    tell = progress or (lambda *_: None)
    watch = _Watch(report.seconds)
    with writing(settings.warehouse), _attempt(settings, rebuild) as attempt:
        report.former_source = attempt.former_source
        if rebuild and attempt.has_history:
            load_ids = attempt.drop_history()
            failed = record_history_again(settings, attempt.folder, load_ids, tell)
            if failed:
                raise BuildFailed(failed, attempt.keep_failed())
            watch.lap("history")
        with open_source(settings, tell) as source:
            watch.lap("upload")
            with attempt.open() as warehouse:
                report.loaded = load(
                    settings,
                    source,
                    warehouse,
                    on_error=on_error,
                    accept_shrink=accept_shrink,
                    progress=lambda name, done, total: tell(
                        f"load {name}", done, total
                    ),
                )
            watch.lap("load")
        report.built = build(
            settings,
            attempt.folder,
            lambda done, total: tell("build", done, total),
            (
                *UNIT_TESTS_LEFT_OUT,
                *build_arguments,
                *(("--full-refresh",) if rebuild else ()),
            ),
        )
        watch.lap("build")
        if any(is_of_full_disk(each.message) for each in report.built.failures):
            raise full_disk(settings.warehouse)
        if report.built.failures:
            raise BuildFailed(report.built, attempt.keep_failed())
        tell("publish", 0, 1)
        report.published = attempt.publish()
        report.aside = attempt.aside
        tell("publish", 1, 1)
        watch.lap("publish")
    return report


def other_source(settings: Settings) -> str | None:
    """The source that the warehouse belongs to, if it is another than the one asked."""
    if not settings.database.exists():
        return None
    # Opening writes back what a killed process left in the log beside the file.
    with open_warehouse(settings.database) as warehouse:
        warehouse.make_tables()
        source = warehouse.source()
    return source if source != settings.source_name else None


@dataclass
class _Watch:
    """Takes the seconds of each step."""

    seconds: dict[str, float]
    last: float = field(default_factory=time.monotonic)

    def lap(self, step: str) -> None:
        now = time.monotonic()
        self.seconds[step] = now - self.last
        self.last = now


def _fresh_folder(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


class Attempt(Protocol):
    """Where a run works, so that nothing has happened until its last step.

    `folder` is what dbt takes for the warehouse's, `has_history` tells whether there
    was a warehouse that is built upon. `former_source` and `aside` are the report's.
    """

    folder: Path
    has_history: bool
    former_source: str | None
    aside: Path | None

    def open(self) -> AbstractContextManager[Warehouse]:
        """The raw tables, for a load."""

    def drop_history(self) -> list[int]:
        """Drop what a rebuild records again; the loads that raw knows."""

    def keep_failed(self) -> Path | None:
        """Keep what has failed for a look at it; where, if anywhere."""

    def publish(self) -> Publication:
        """Publish the build, and let the work stand."""


def _attempt(settings: Settings, rebuild: bool) -> AbstractContextManager[Attempt]:
    if settings.is_snowflake:
        return _in_account(settings)
    return _in_copy(settings, rebuild)


@contextmanager
def _in_copy(settings: Settings, rebuild: bool) -> Iterator[Attempt]:
    work = _fresh_folder(settings.warehouse / "work")
    try:
        yield _InCopy(settings, work, rebuild)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _InCopy:
    """An attempt in a copy of the local files, which takes their place at the end.

    There is none of another source's, or of files that cannot be read.
    """

    def __init__(self, settings: Settings, folder: Path, rebuild: bool) -> None:
        self.settings = settings
        self.folder = folder
        self.database = folder / settings.database.name
        self.former_source: str | None = None
        self.aside: Path | None = None
        self.has_history = self._copy(rebuild)

    def _copy(self, rebuild: bool) -> bool:
        if not self.settings.database.exists():
            return False
        try:
            self.former_source = other_source(self.settings)
            if self.former_source:
                return False
            # While it is open for reading, nobody writes.
            reader = connect(self.settings.database, read_only=True)
        except UnreadableWarehouse:
            if rebuild:
                return False
            raise
        try:
            shutil.copyfile(self.settings.database, self.database)
        finally:
            reader.close()
        return True

    def open(self) -> AbstractContextManager[Warehouse]:
        return open_warehouse(self.database)

    def drop_history(self) -> list[int]:
        with open_warehouse(self.database) as warehouse:
            return warehouse.keep_raw_alone()

    def keep_failed(self) -> Path:
        failed = _fresh_folder(self.settings.warehouse / "failed")
        self.database.replace(failed / self.database.name)
        return failed

    def publish(self) -> Publication:
        prepared = self.folder / self.settings.published.name
        publication = prepare(self.database, prepared)
        if self.has_history:
            # Whoever has opened it for writing since would work for nothing.
            connect(self.settings.database, read_only=True).close()
        else:
            self.aside = _put_aside(self.settings)
        _finish(self.settings, self.database, prepared)
        return publication


@contextmanager
def _in_account(settings: Settings) -> Iterator[Attempt]:
    with snowflake.open_warehouse(settings) as warehouse:
        attempt = _InAccount(settings, warehouse)
        try:
            yield attempt
        except BaseException as error:
            attempt.undo(error)
            raise


class _InAccount:
    """An attempt in an account, which is undone unless it comes to its end.

    A killed one is undone by the next.
    """

    def __init__(self, settings: Settings, warehouse: snowflake.Warehouse) -> None:
        self.former_source: str | None = None
        self.aside: Path | None = None
        self.folder = settings.warehouse
        self.warehouse = warehouse
        self.account = Account(warehouse.connection)
        self.tables = lasting_tables(settings)
        self.account.keep(name for names in self.tables.values() for name in names)
        self.has_history = warehouse.has_loads()

    @contextmanager
    def open(self) -> Iterator[Warehouse]:
        yield self.warehouse

    def drop_history(self) -> list[int]:
        return self.account.drop_history(self.tables["snapshot"])

    def keep_failed(self) -> None:
        return None

    def undo(self, error: BaseException) -> None:
        """Put everything back; ReelhouseError where the account does not let us."""
        try:
            if not snowflake.is_lost(error):
                self.account.undo()
                return
        except snowflake.connector().errors.Error as failure:
            error = failure
        is_lost = snowflake.is_lost(error)
        why = "the connection was lost" if is_lost else snowflake.first_line(error)
        raise ReelhouseError(
            f"What this run loaded and built in the account is not undone yet ({why}): "
            f"the next `reelhouse run --target prod` undoes it before all else, and "
            f"readers keep what was published before."
        ) from error

    def publish(self) -> Publication:
        return self.account.publish(before_swap=self.account.forget)


def record_history_again(
    settings: Settings, folder: Path, load_ids: list[int], tell: Progress
) -> BuildReport | None:
    """Record history from the kept changes of the raw tables; a report of failures.

    The snapshots see the state after each load, one after the other, as they would
    have if a build had followed each of them.
    """
    for done, load_id in enumerate(load_ids):
        tell("history", done, len(load_ids))
        report = build(
            settings,
            folder,
            None,
            (
                *("--select", "+resource_type:snapshot"),
                *("--exclude-resource-type", "test", "unit_test"),
                "--full-refresh",
                *("--vars", json.dumps({"as_of_load_id": load_id})),
            ),
        )
        if report.failures:
            return report
    return None


def _put_aside(settings: Settings) -> Path | None:
    """Give the files that a run does not build upon another place; None without any."""
    if not settings.database.exists():
        return None
    files = [path for path in (settings.database, settings.published) if path.exists()]
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    aside = _fresh_folder(settings.warehouse / f"aside-{stamp}")
    for path in files:
        # A second name, so that readers are never without the first.
        os.link(path, aside / path.name)
    return aside


def _finish(settings: Settings, database: Path, prepared: Path) -> None:
    """Put the new files in place of the old ones, each by one rename."""
    with database.open("rb") as file:
        os.fsync(file.fileno())
    database.replace(settings.database)
    put_in_place(prepared, settings.published)
    shutil.rmtree(settings.warehouse / "failed", ignore_errors=True)
