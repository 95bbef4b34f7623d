"""DuckDB: a run in a copy of the warehouse file, which replaces the file at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from reelhouse.engines.duckdb import backup
from reelhouse.engines.duckdb.connection import (
    UnreadableWarehouse,
    asking,
    connect,
    is_damage,
    log_of,
)
from reelhouse.engines.duckdb.load import Warehouse, open_warehouse
from reelhouse.engines.duckdb.publish import (
    is_as_written,
    prepare,
    put_in_place,
    show,
)
from reelhouse.engines.publication import Build, Publication, up_to_date
from reelhouse.engines.warehouse import Ask, Lasting
from reelhouse.errors import ReelhouseError, local_fault
from reelhouse.locking import fresh_folder, remove_folder
from reelhouse.settings import Settings


@contextmanager
def attempt(
    settings: Settings,
    lasting: Lasting,  # noqa: ARG001
    rebuild: bool,
) -> Iterator[Attempt]:
    """An attempt in a copy, which is removed at the end unless it was put in place."""
    work = fresh_folder(settings.warehouse / "work")
    try:
        yield Attempt(settings, work, rebuild)
    except UnreadableWarehouse as error:
        # Name the original in the error: the copy has the same damage.
        raise UnreadableWarehouse(settings.database, error.problem) from error
    finally:
        remove_folder(work)


class Attempt:
    """An attempt in a copy of the local files, which replaces them at the end.

    Files of another source, and files that cannot be read, are not copied. Nothing is
    copied before the first change: a run that finds nothing new only records the time
    in the file itself.
    """

    def __init__(self, settings: Settings, folder: Path, rebuild: bool) -> None:
        self.settings = settings
        self.folder = folder
        self.database = folder / settings.database.name
        self.former_source: str | None = None
        self.recovery: backup.Recovery | None = None
        self.aside: Path | None = None
        self.backup: backup.Backup | None = None
        self.has_unreadable_backup = backup.is_unreadable(settings.backup)
        self.seen: tuple[int, ...] | None = None
        self.is_successor = self._begin(rebuild)
        self.lacks_history = bool(self.recovery and self.recovery.lacks_history)

    def _begin(self, rebuild: bool) -> bool:
        """Choose what to start from; return whether that is all that the files hold."""
        is_there = self.settings.database.exists()
        try:
            self.former_source = other_source(
                self.settings.database, self.settings.source_name
            )
        except UnreadableWarehouse:
            if not rebuild:
                raise
        if self.former_source:
            return False
        self.seen = _seen(self.settings.database)
        if is_there and not rebuild:
            self.database = self.settings.database
            # DuckDB names a database after the target of a link; a copy has our name.
            if self.database.resolve().name != self.database.name:
                self.prepare()
            return True
        self.recovery = backup.recover(
            self.settings.database,
            self.settings.backup,
            self.settings.source_name,
            self.database,
        )
        return self.recovery.is_whole

    @contextmanager
    def open(self) -> Iterator[Warehouse]:
        with open_warehouse(self.database) as warehouse:

            def move() -> None:
                warehouse.connection.close()
                self.prepare()
                warehouse.connection = connect(self.database)

            warehouse.before_changes = move
            yield warehouse
            # Closing does so too, but is silent if it fails.
            warehouse.connection.execute("checkpoint")
        if self.database == self.settings.database:
            self.seen = _seen(self.database)

    def prepare(self) -> None:
        if self.database != self.settings.database:
            return
        copy = self.folder / self.database.name
        # An open connection keeps writers out during the copy.
        with open_warehouse(self.database) as warehouse:
            # The log of the file is not copied.
            warehouse.connection.execute("checkpoint")
            shutil.copyfile(self.database, copy)
            self.seen = _seen(self.database)
        self.database = copy

    def drop_history(self) -> list[int]:
        with open_warehouse(self.database) as warehouse:
            return warehouse.keep_raw_alone()

    def keep_failed(self, messages: list[str]) -> Path:
        for each in messages:
            if told := local_fault(each, self.settings.warehouse):
                raise told
        if any(is_damage(each) for each in messages):
            raise UnreadableWarehouse(self.settings.database)
        failed = fresh_folder(self.settings.warehouse / "failed")
        for path in (self.database, log_of(self.database)):
            if path.exists():
                path.replace(failed / path.name)
        return failed

    def back_up(self) -> bool:
        self.backup = backup.write(self.database, self.settings.backup)
        return True

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        with closing(connect(self.database, read_only=True)) as connection:
            yield asking(connection)

    def up_to_date(self, build: Build) -> Publication | None:
        if not self.is_successor or not is_as_written(self.settings.published):
            return None
        try:
            with closing(connect(self.settings.published, read_only=True)) as shown:
                return up_to_date(asking(shown), build)
        except UnreadableWarehouse:
            return None

    def skip_publish(self) -> None:
        self._keep(None)

    def publish(self, build: Build) -> Publication:
        prepared = self.folder / self.settings.published.name
        # Tables that were published from another source cannot be reused.
        published = None if self.former_source else self.settings.published
        publication = prepare(self.database, published, prepared, build)
        self._keep(prepared)
        return publication

    def _keep(self, prepared: Path | None) -> None:
        if self.is_successor:
            # Stop if another process writes or has written: its work would be lost, or
            # would be published without a test.
            connect(self.settings.database, read_only=True).close()
            if _seen(self.settings.database) != self.seen:
                raise ReelhouseError(
                    f"Another program has written to {self.settings.database} during "
                    f"this run: run it again."
                )
        self.aside = _put_aside(self.settings, self.is_successor, self.backup)
        # Each file replaces the old one by one rename.
        if self.database != self.settings.database:
            put_in_place(self.database, self.settings.database)
        if prepared:
            show(prepared, self.settings.published)
        remove_folder(self.settings.warehouse / "failed")
        if self.backup:
            backup.commit(self.backup, self.settings.backup)


def other_source(database: Path, source: str) -> str | None:
    """The source that a warehouse belongs to, if it is not `source`."""
    if not database.exists():
        return None
    # Opening also applies the log that a killed process left beside the file.
    with open_warehouse(database) as warehouse:
        found = warehouse.source()
    return found if found != source else None


def _put_aside(
    settings: Settings, is_built_upon: bool, new_backup: backup.Backup | None
) -> Path | None:
    """Put files that a run does not reuse into a new folder; None if there are none.

    A backup that is unreadable or of another warehouse is put aside too.
    """
    files = [path for path in (settings.database, settings.published) if path.exists()]
    if is_built_upon or settings.database not in files:
        files = []
    # DuckDB would take it for the log of the new file.
    log = log_of(settings.database)
    known = backup.read(settings.backup)
    is_other = backup.is_unreadable(settings.backup) or bool(
        known and new_backup and not known.is_of(new_backup)
    )
    if not files and not is_other and not log.exists():
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    aside = settings.warehouse / f"aside-{stamp}"
    aside.mkdir()
    for path in files:
        # A second name, so that readers always find the first.
        _give_second_name(path, aside / path.name)
    if log.exists():
        log.replace(aside / log.name)
    if files and settings.report.exists():
        settings.report.rename(aside / settings.report.name)
    if is_other:
        to = aside / settings.backup.name
        to.mkdir()
        for path in filter(Path.is_file, settings.backup.iterdir()):
            # The folder also has the parts of the new backup.
            if not known or path.name in known.files:
                _give_second_name(path, to / path.name)
    return aside


def _seen(database: Path) -> tuple[int, ...]:
    """Inode, size and time of a file and its log: they change with every write."""
    return tuple(
        number
        for path in (database, log_of(database))
        if path.exists()
        for found in [path.stat()]
        for number in (found.st_ino, found.st_size, found.st_mtime_ns)
    )


def _give_second_name(path: Path, to: Path) -> None:
    """Make a hard link or, if the file system has none, a copy."""
    try:
        os.link(path, to)
    except OSError:
        shutil.copyfile(path, to)
