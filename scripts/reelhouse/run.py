"""Run: the whole way from the source to the published tables, as one transaction.

Everything happens in a copy of the warehouse file; it takes the place of the old
one when all is well. Whatever goes wrong before, the old files are as they were.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from reelhouse.build import BuildReport, build
from reelhouse.engines.duckdb import UnreadableWarehouse, connect, open_warehouse
from reelhouse.errors import ReelhouseError
from reelhouse.load import LoadReport, OnError, load
from reelhouse.locking import writing
from reelhouse.publish import Publication, prepare, put_in_place
from reelhouse.settings import Settings
from reelhouse.source import open_source

Progress = Callable[[str, int, int], None]

# They test the models, and no data.
UNIT_TESTS_LEFT_OUT = ("--exclude-resource-type", "unit_test")


class BuildFailed(ReelhouseError):
    """The build has failures; the report names them."""

    def __init__(self, report: BuildReport, failed: Path) -> None:
        self.report = report
        self.failed = failed
        count = len(report.failures)
        super().__init__(
            f"{report.failures[0].name}{' and others' if count > 1 else ''} failed, so "
            f"nothing is published and the warehouse is as it was; the failed one is "
            f"kept in {failed}."
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
    with writing(settings.warehouse):
        work = _fresh_folder(settings.warehouse / "work")
        try:
            watch = _Watch(report.seconds)
            old = _copy_warehouse(settings, work, rebuild)
            report.former_source = old.other_source
            if rebuild and old.is_copied:
                record_history_again(settings, work, tell)
                watch.lap("history")
            database = work / settings.database.name
            with open_source(settings, tell) as source:
                watch.lap("upload")
                with open_warehouse(database) as warehouse:
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
                work,
                lambda done, total: tell("build", done, total),
                (
                    *UNIT_TESTS_LEFT_OUT,
                    *build_arguments,
                    *(("--full-refresh",) if rebuild else ()),
                ),
            )
            watch.lap("build")
            if report.built.failures:
                raise BuildFailed(report.built, _keep_failed(settings, work))
            tell("publish", 0, 1)
            prepared = work / settings.published.name
            report.published = prepare(database, prepared)
            if old.is_copied:
                # Whoever has opened it for writing since would work for nothing.
                connect(settings.database, read_only=True).close()
            else:
                report.aside = _put_aside(settings)
            _finish(settings, database, prepared)
            tell("publish", 1, 1)
            watch.lap("publish")
        finally:
            shutil.rmtree(work, ignore_errors=True)
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


@dataclass(frozen=True)
class _Old:
    """The warehouse that was there: copied, or of another source, or unreadable."""

    is_copied: bool = False
    other_source: str | None = None


def _copy_warehouse(settings: Settings, work: Path, rebuild: bool) -> _Old:
    """Copy the warehouse to work on, unless it is another source's or unreadable."""
    if not settings.database.exists():
        return _Old()
    try:
        if source := other_source(settings):
            return _Old(other_source=source)
        # While it is open for reading, nobody writes.
        reader = connect(settings.database, read_only=True)
    except UnreadableWarehouse:
        if rebuild:
            return _Old()
        raise
    try:
        shutil.copyfile(settings.database, work / settings.database.name)
    finally:
        reader.close()
    return _Old(is_copied=True)


def record_history_again(settings: Settings, work: Path, tell: Progress) -> None:
    """Keep the raw tables of a warehouse alone, and record history from them.

    The snapshots see the state after each load, one after the other, as they would
    have if a build had followed each of them. Raises BuildFailed.
    """
    with open_warehouse(work / settings.database.name) as warehouse:
        load_ids = warehouse.keep_raw_alone()
    for done, load_id in enumerate(load_ids):
        tell("history", done, len(load_ids))
        report = build(
            settings,
            work,
            None,
            (
                *("--select", "+resource_type:snapshot"),
                *("--exclude-resource-type", "test", "unit_test"),
                "--full-refresh",
                *("--vars", json.dumps({"as_of_load_id": load_id})),
            ),
        )
        if report.failures:
            raise BuildFailed(report, _keep_failed(settings, work))


def _keep_failed(settings: Settings, work: Path) -> Path:
    failed = _fresh_folder(settings.warehouse / "failed")
    (work / settings.database.name).replace(failed / settings.database.name)
    return failed


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
