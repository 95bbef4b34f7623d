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
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from reelhouse.engines.duckdb import backup
from reelhouse.engines.duckdb.backup import Backup, Recovery
from reelhouse.engines.duckdb.load import (
    UnreadableWarehouse,
    asking,
    connect,
    is_damage,
    open_warehouse,
)
from reelhouse.engines.snowflake import load as snowflake
from reelhouse.engines.snowflake.attempt import Account
from reelhouse.engines.warehouse import Warehouse
from reelhouse.errors import ReelhouseError
from reelhouse.ingest.load import LoadReport, OnError, load
from reelhouse.ingest.source import open_source
from reelhouse.locking import full_disk, is_of_full_disk, writing
from reelhouse.serving.publish import (
    Build,
    Publication,
    prepare,
    put_in_place,
    standing,
)
from reelhouse.settings import Settings
from reelhouse.transform.build import BuildReport, build
from reelhouse.transform.state import State, Tree, build_of, compare, read_tree

Progress = Callable[[str, int, int], None]

# They test the models, and no data.
NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")


class BuildFailed(ReelhouseError):
    """The build has failures; the report names them."""

    def __init__(self, report: BuildReport, failed: Path | None) -> None:
        self.report = report
        self.failed = failed
        count = len(report.failures)
        kept = f"the failed one is kept in {failed}" if failed else "so is its history"
        super().__init__(
            f"{report.failures[0].name}{' and others' if count > 1 else ''} failed, so "
            f"nothing is published and the warehouse is as it was; {kept}: mend what "
            f"is listed above, then run again."
        )


@dataclass
class RunReport:
    """What a run did; `aside` is where files went that it could not build upon.

    They are those of `former_source` or, where that is None, could not be read;
    `recovery` tells what was kept of them. `state` is what was out of date before the
    build, `from_scratch` names incremental models that were made whole, with the
    reason. Where `stands`, what is `published` was up to date already.
    """

    loaded: LoadReport = field(default_factory=LoadReport)
    state: State | None = None
    from_scratch: dict[str, str] = field(default_factory=dict)
    built: BuildReport = field(default_factory=BuildReport)
    published: Publication | None = None
    stands: bool = False
    aside: Path | None = None
    former_source: str | None = None
    recovery: Recovery | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def run(
    settings: Settings,
    *,
    on_error: OnError = "continue",
    accept_shrink: bool = False,
    rebuild: bool = False,
    everything: bool = False,
    unit_tests: bool = False,
    build_arguments: tuple[str, ...] = (),
    progress: Progress | None = None,
    on_step: Callable[[str], None] | None = None,
) -> RunReport:
    """Upload (a folder), load, build and publish; all of it, or nothing.

    What is out of date is built and tested, or `everything`; with `unit_tests` also the
    unit tests of models whose own rules changed. With `rebuild`, or where the local
    warehouse is gone, what the bucket does not hold comes from the warehouse or, where
    that cannot be read, from the backup, and everything is made from scratch.
    `build_arguments` go to `dbt build`; what is left out by them stays out of date, so
    that nothing is published. `on_step` is told of each step that is done.
    Raises ReelhouseError; BuildFailed where models or tests failed.
    """
    report = RunReport()
    tell = progress or (lambda *_: None)
    watch = _Watch(report.seconds, on_step or (lambda _: None))
    with writing(settings.warehouse), _attempt(settings, rebuild) as attempt:
        report.former_source = attempt.former_source
        report.recovery = attempt.recovery
        if attempt.lacks_history:
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
        state = report.state = attempt.state()
        selected = _selected(state, everything or rebuild)
        if selected != []:
            report.built = build(
                settings,
                attempt.folder,
                lambda done, total: tell("build", done, total),
                (
                    *(() if unit_tests else NO_UNIT_TESTS),
                    *build_arguments,
                    *(("--full-refresh",) if rebuild else ()),
                ),
                selected=selected,
                unit_tested=state.changed_models,
            )
            watch.lap("build")
            if any(is_of_full_disk(each.message) for each in report.built.failures):
                raise full_disk(settings.warehouse)
            if report.built.failures:
                raise BuildFailed(report.built, attempt.keep_failed())
            state = attempt.state()
            report.from_scratch = state.made_whole(report.state)
        to_publish = build_of(state)
        if attempt.back_up():
            watch.lap("backup")
        tell("publish", 0, 1)
        standing = attempt.standing(to_publish)
        if standing:
            report.stands = True
            attempt.leave()
        report.published = standing or attempt.publish(to_publish)
        report.aside = attempt.aside
        tell("publish", 1, 1)
        watch.lap("publish")
    return report


def _selected(state: State, everything: bool) -> list[str] | None:
    """Unique ids of what is to be built; None for everything."""
    selected = state.to_build
    return None if everything or len(selected) == state.total else selected


def state_there(settings: Settings) -> State:
    """What is out of date in the warehouse, which is left as it is.

    Raises ReelhouseError where there is none, or where nothing is loaded.
    """
    tree = read_tree(settings)
    if settings.is_snowflake:
        with snowflake.open_warehouse() as warehouse:
            return compare(tree, Account(warehouse.connection).ask)
    return _state_of(settings.database, tree)


def publish(settings: Settings) -> Publication:
    """Publish what is built, if all of it is up to date and has passed its tests.

    Raises ReelhouseError otherwise.
    """
    tree = read_tree(settings)
    with writing(settings.warehouse):
        if settings.is_snowflake:
            with snowflake.open_warehouse() as warehouse:
                account = Account(warehouse.connection)
                return account.publish(build_of(compare(tree, account.ask)))
        build = build_of(_state_of(settings.database, tree))
        prepared = settings.warehouse / f".{settings.published.name}"
        publication = prepare(settings.database, settings.published, prepared, build)
        put_in_place(prepared, settings.published)
        return publication


def _state_of(database: Path, tree: Tree) -> State:
    """What is out of date in a warehouse file."""
    if not database.exists():
        raise ReelhouseError(
            f"{database} is not there, so there is nothing to look at: run "
            f"`reelhouse run` first."
        )
    with closing(connect(database, read_only=True)) as connection:
        return compare(tree, asking(connection))


def other_source(settings: Settings) -> str | None:
    """The source that the warehouse belongs to, if it is another than the one asked."""
    if not settings.database.exists():
        return None
    # Opening writes back what a killed process left in the log beside the file.
    with open_warehouse(settings.database) as warehouse:
        source = warehouse.source()
    return source if source != settings.source_name else None


@dataclass
class _Watch:
    """Takes the seconds of each step, and tells that it is done."""

    seconds: dict[str, float]
    tell: Callable[[str], None]
    last: float = field(default_factory=time.monotonic)

    def lap(self, step: str) -> None:
        now = time.monotonic()
        self.seconds[step] = now - self.last
        self.last = now
        self.tell(step)


def _fresh_folder(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


class Attempt(Protocol):
    """Where a run works, so that nothing has happened until its last step.

    `folder` is what dbt takes for the warehouse's, `lacks_history` tells whether it is
    to be recorded from the raw rows. The others are the report's.
    """

    folder: Path
    lacks_history: bool
    former_source: str | None
    recovery: Recovery | None
    aside: Path | None

    def open(self) -> AbstractContextManager[Warehouse]:
        """The raw tables, for a load."""

    def drop_history(self) -> list[int]:
        """Drop what a rebuild records again; the loads that raw knows."""

    def keep_failed(self) -> Path | None:
        """Keep what has failed for a look at it; where, if anywhere."""

    def back_up(self) -> bool:
        """Write a backup, which counts when the work stands; whether there is one."""

    def state(self) -> State:
        """What is out of date here."""

    def standing(self, build: Build) -> Publication | None:
        """What is published, if it is what the build would publish."""

    def leave(self) -> None:
        """Let the work stand, and what is published as well."""

    def publish(self, build: Build) -> Publication:
        """Publish the build, and let the work stand."""


def _attempt(settings: Settings, rebuild: bool) -> AbstractContextManager[Attempt]:
    if settings.is_snowflake:
        return _in_account(settings, rebuild)
    return _in_copy(settings, rebuild)


@contextmanager
def _in_copy(settings: Settings, rebuild: bool) -> Iterator[Attempt]:
    work = _fresh_folder(settings.warehouse / "work")
    try:
        yield _InCopy(settings, work, rebuild)
    except UnreadableWarehouse as error:
        # The copy is no better than what it is a copy of.
        raise UnreadableWarehouse(settings.database, error.problem) from error
    except BuildFailed as failed:
        if any(is_damage(each.message) for each in failed.report.failures):
            raise UnreadableWarehouse(settings.database) from failed
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _InCopy:
    """An attempt in a copy of the local files, which takes their place at the end.

    There is no copy of another source's files, nor of those that cannot be read.
    """

    def __init__(self, settings: Settings, folder: Path, rebuild: bool) -> None:
        self.settings = settings
        self.folder = folder
        self.database = folder / settings.database.name
        self.former_source: str | None = None
        self.recovery: Recovery | None = None
        self.aside: Path | None = None
        self.backup: Backup | None = None
        self.is_successor = self._copy(rebuild)
        self.lacks_history = bool(self.recovery and self.recovery.lacks_history)

    def _copy(self, rebuild: bool) -> bool:
        """Make the copy; whether all that the files hold is in it."""
        is_there = self.settings.database.exists()
        try:
            self.former_source = other_source(self.settings)
        except UnreadableWarehouse:
            if not rebuild:
                raise
        if self.former_source:
            return False
        if is_there and not rebuild:
            # While it is open for reading, nobody writes.
            with closing(connect(self.settings.database, read_only=True)):
                shutil.copyfile(self.settings.database, self.database)
            return True
        self.recovery = backup.recover(
            self.settings.database,
            self.settings.backup,
            self.settings.source_name,
            self.database,
        )
        return self.recovery.is_whole

    def open(self) -> AbstractContextManager[Warehouse]:
        return open_warehouse(self.database)

    def drop_history(self) -> list[int]:
        with open_warehouse(self.database) as warehouse:
            return warehouse.keep_raw_alone()

    def keep_failed(self) -> Path:
        failed = _fresh_folder(self.settings.warehouse / "failed")
        self.database.replace(failed / self.database.name)
        return failed

    def back_up(self) -> bool:
        self.backup = backup.write(self.database, self.settings.backup)
        return True

    def state(self) -> State:
        return _state_of(self.database, read_tree(self.settings))

    def standing(self, build: Build) -> Publication | None:
        if not self.is_successor or not self.settings.published.exists():
            return None
        try:
            with closing(connect(self.settings.published, read_only=True)) as shown:
                return standing(asking(shown), build)
        except UnreadableWarehouse:
            return None

    def leave(self) -> None:
        self._let_stand(None)

    def publish(self, build: Build) -> Publication:
        prepared = self.folder / self.settings.published.name
        publication = prepare(self.database, self.settings.published, prepared, build)
        self._let_stand(prepared)
        return publication

    def _let_stand(self, prepared: Path | None) -> None:
        if self.is_successor:
            # Whoever has opened it for writing since would work for nothing.
            connect(self.settings.database, read_only=True).close()
        self.aside = _put_aside(self.settings, self.is_successor, self.backup)
        _finish(self.settings, self.database, prepared)
        if self.backup:
            backup.commit(self.backup, self.settings.backup)


@contextmanager
def _in_account(settings: Settings, rebuild: bool) -> Iterator[Attempt]:
    with snowflake.open_warehouse(settings) as warehouse:
        attempt = _InAccount(settings, warehouse, rebuild)
        try:
            yield attempt
        except BaseException as error:
            attempt.undo(error)
            raise


class _InAccount:
    """An attempt in an account, which is undone unless it comes to its end.

    A killed one is undone by the next.
    """

    def __init__(
        self, settings: Settings, warehouse: snowflake.Warehouse, rebuild: bool
    ) -> None:
        self.former_source: str | None = None
        self.recovery: Recovery | None = None
        self.aside: Path | None = None
        self.folder = settings.warehouse
        self.warehouse = warehouse
        self.account = Account(warehouse.connection)
        self.tree = read_tree(settings)
        self.account.keep(self._lasting("incremental", "snapshot"))
        self.lacks_history = rebuild and warehouse.has_loads()

    def _lasting(self, *kinds: str) -> dict[str, str]:
        """Tables that a build adds to, and does not make anew, by unique id."""
        return {
            unique_id: node.relation
            for unique_id, node in self.tree.nodes.items()
            if node.materialized in kinds
        }

    @contextmanager
    def open(self) -> Iterator[Warehouse]:
        yield self.warehouse

    def drop_history(self) -> list[int]:
        return self.account.drop_history(self._lasting("snapshot").values())

    def keep_failed(self) -> None:
        return None

    def back_up(self) -> bool:
        """Time Travel and Fail-safe are the account's own."""
        return False

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

    def state(self) -> State:
        return compare(self.tree, self.account.ask)

    def standing(self, build: Build) -> Publication | None:
        return standing(self.account.ask, build)

    def leave(self) -> None:
        self.account.forget()

    def publish(self, build: Build) -> Publication:
        return self.account.publish(build, before_swap=self.account.forget)


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


def _put_aside(
    settings: Settings, is_built_upon: bool, new_backup: Backup | None
) -> Path | None:
    """Give what a run does not build upon another place; None where that is nothing.

    A backup that is not of the same warehouse as the new one is put aside, too.
    """
    files = [path for path in (settings.database, settings.published) if path.exists()]
    if is_built_upon or settings.database not in files:
        files = []
    known = backup.read(settings.backup)
    is_other = bool(known and new_backup and not known.is_of(new_backup))
    if not files and not is_other:
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    aside = _fresh_folder(settings.warehouse / f"aside-{stamp}")
    for path in files:
        # A second name, so that readers are never without the first.
        os.link(path, aside / path.name)
    if is_other:
        backup.put_aside(settings.backup, aside / settings.backup.name)
    return aside


def _finish(settings: Settings, database: Path, prepared: Path | None) -> None:
    """Put the new files in place of the old ones, each by one rename."""
    with database.open("rb") as file:
        os.fsync(file.fileno())
    database.replace(settings.database)
    if prepared:
        put_in_place(prepared, settings.published)
    shutil.rmtree(settings.warehouse / "failed", ignore_errors=True)
