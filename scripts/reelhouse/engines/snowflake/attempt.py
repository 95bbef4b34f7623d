"""Snowflake: a run in the account itself, which is undone from clones if it fails."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reelhouse.engines.duckdb.backup import Recovery
from reelhouse.engines.publication import Build, Publication, up_to_date
from reelhouse.engines.snowflake.connection import (
    Account,
    connector,
    first_line,
    is_lost,
    literal,
)
from reelhouse.engines.snowflake.load import Warehouse, open_warehouse
from reelhouse.engines.snowflake.publish import Publisher
from reelhouse.engines.warehouse import (
    Ask,
    ChangedByHand,
    Lasting,
    raw_tables,
    shapes_in,
)
from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings

# The schema that exists while a run may have to be undone, and its tables.
UNDO = "undo"
RUN = "undo.run"
LEASE = "undo.lease"
LEDGER = "state.nodes"
ENTITIES = "select distinct entity from raw.objects"
# For this long, a run from elsewhere is assumed to be still at work.
LEASE_TIME = timedelta(hours=12)
ALREADY_EXISTS = "already exists"
JUST_BEGUN = (
    "The account is in use by another run, which has just started: wait for it to end."
)


@contextmanager
def attempt(settings: Settings, lasting: Lasting, rebuild: bool) -> Iterator[Attempt]:
    """An attempt in an account, which is undone if it fails.

    The next run undoes a killed one. `lasting` returns the tables that builds add to.
    """
    with open_warehouse(settings) as warehouse:
        attempted = Attempt(settings, warehouse, lasting)
        try:
            if rebuild and warehouse.source() is not None:
                attempted.begin_again()
            yield attempted
        except BaseException as error:
            _undo(attempted.undo, error)
            raise


def _undo(undo: Undo, error: BaseException) -> None:
    """Undo everything; raises ReelhouseError if the account does not let us."""
    try:
        if not is_lost(error):
            undo.undo()
            return
    except connector().errors.Error as failure:
        error = failure
    why = "the connection was lost" if is_lost(error) else first_line(error)
    raise ReelhouseError(
        f"What this run loaded and built in the account is not undone yet ({why}): "
        f"the next `reelhouse run --target {undo.account.target}` undoes it "
        f"first, and readers still see what was published before."
    ) from error


class Attempt:
    """An `engines.engine.Attempt` in an account."""

    lacks_history = False
    former_source: str | None = None
    recovery: Recovery | None = None
    aside: Path | None = None
    has_unreadable_backup = False

    def __init__(
        self,
        settings: Settings,
        warehouse: Warehouse,
        lasting: Lasting,
    ) -> None:
        self.folder = settings.warehouse
        self.warehouse = warehouse
        self.account = warehouse.account
        self.lasting = lasting
        self.undo = Undo(self.account, settings.warehouse)
        self.undo.undo()
        warehouse.before_changes = self.prepare

    def begin_again(self) -> None:
        """Prepare a rebuild from the raw rows or, if they are wrong, from the source.

        In the second case, history continues from where it ended.
        """
        self.lacks_history = True
        try:
            # The load itself checks tables that are not as they are declared.
            if self.warehouse.known_objects() is not None:
                self.warehouse.live_rows()
        except ChangedByHand:
            self.lacks_history = False
            self.recovery = Recovery(None, "file", False, None)
            self.prepare()
            for table in raw_tables():
                self.account.run(f"delete from raw.{table.name}")

    @contextmanager
    def open(self) -> Iterator[Warehouse]:
        yield self.warehouse

    def prepare(self) -> None:
        if not self.undo.is_kept:
            self.undo.keep(self.lasting())

    def drop_history(self) -> list[int]:
        self.prepare()
        for unique_id, name in self.lasting().items():
            if unique_id.startswith("snapshot."):
                self.account.run(f"drop table if exists {name}")
        return self.warehouse.load_ids()

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        yield self.account.ask

    def keep_failed(self, messages: list[str]) -> None:  # noqa: ARG002
        return None

    def back_up(self) -> bool:
        """Write no backup: an account has Time Travel and Fail-safe."""
        return False

    def up_to_date(self, build: Build) -> Publication | None:
        return up_to_date(self.account.ask, build)

    def skip_publish(self) -> None:
        self.undo.forget()

    def publish(self, build: Build) -> Publication:
        return Publisher(self.account).publish(build, before_swap=self.undo.forget)


class Undo:
    """Clones of what a run adds to, kept for as long as the run may fail.

    They are also the lock of the account: `folder` is the warehouse folder, whose own
    lock lets only one run at a time get to this point.
    """

    def __init__(self, account: Account, folder: Path) -> None:
        self.account = account
        self.place = f"{folder.resolve()} on {platform.node()}"
        self.is_kept = False
        self.is_elsewhere = False

    def keep(self, built: Mapping[str, str]) -> None:
        """Keep clones of what a run adds to, so that `undo` can restore it.

        These are the raw tables, and the tables of the dbt tree that a build does not
        replace: `built` has these, as schema.table, by unique id.
        """
        there = self.account.tables()
        raw = {table.name for table in raw_tables()}
        if "raw.objects" in there:
            # Also those that are not declared any more.
            raw |= {name for (name,) in self.account.ask(ENTITIES)}
        names: dict[str, str | None] = {f"raw.{name}": None for name in sorted(raw)}
        names |= {table: unique_id for unique_id, table in built.items()}
        names[LEDGER] = None
        try:
            self.account.run(f"create schema {UNDO} data_retention_time_in_days = 0")
        except connector().errors.ProgrammingError as error:
            if ALREADY_EXISTS not in str(error):
                raise
            self.is_elsewhere = True
            raise ReelhouseError(JUST_BEGUN) from error
        self.is_kept = True
        until = datetime.now(UTC).replace(tzinfo=None) + LEASE_TIME
        self.account.run(
            f"create transient table {LEASE} as select {literal(self.place)} as place, "
            f"{os.getpid()} as process, "
            f"cast({literal(f'{until:%Y-%m-%d %H:%M}')} as timestamp_ntz) as until"
        )
        for name in names:
            if name in there:
                self.account.run(f"create {there[name]} {_clone_of(name)} clone {name}")
        rows = " union all ".join(
            f"select {literal(name)} as name, {literal(there.get(name))} as kind, "
            f"{literal(node)} as node"
            for name, node in names.items()
        )
        self.account.run(f"create transient table {RUN} as {rows}")

    def undo(self) -> None:
        """Restore what a failed or killed run has added to, if there was one.

        In the ledger, this restores the rows of restored tables. The others are right,
        since a build takes out the row of what it is about to make. A run that was
        killed while it made its clones has changed nothing. Raises ReelhouseError if a
        run from another folder is still at work.
        """
        if self.is_elsewhere:
            return
        schemas = self.account.ask(
            "select created > dateadd(minute, -5, current_timestamp()) "
            "from information_schema.schemata "
            f"where schema_name = {literal(UNDO.upper())}"
        )
        there = self.account.tables() if schemas else {}
        if schemas and not self.is_kept:
            self._check_lease(is_new=schemas[0][0], is_there=LEASE in there)
            self.is_kept = True
        if RUN in there:
            self._put_back(there)
        self.forget()

    def _check_lease(self, is_new: bool, is_there: bool) -> None:
        if not is_there and is_new:
            raise ReelhouseError(JUST_BEGUN)
        if not is_there:
            return
        now = datetime.now(UTC).replace(tzinfo=None)
        for place, process, until in self.account.ask(
            f"select place, process, until from {LEASE}"
        ):
            if place != self.place and until > now:
                raise ReelhouseError(
                    f"The account is in use by process {process} of {place}: wait for "
                    f"it to end. If it was killed, run again in that folder, or "
                    f"anywhere after {until:%Y-%m-%d %H:%M} UTC; in the account, "
                    f"`delete from {LEASE}` ends the wait."
                )

    def _put_back(self, there: Mapping[str, str]) -> None:
        for name, kind in self.account.ask(
            f"select name, kind from {RUN} where name <> {literal(LEDGER)}"
        ):
            if kind:
                self.account.run(
                    f"create or replace {kind} {name} clone {_clone_of(name)}"
                )
            else:
                self.account.run(f"drop table if exists {name}")
        if LEDGER in there:
            put_back = f"node in (select node from {RUN} where node is not null)"
            self.account.run(f"delete from {LEDGER} where {put_back}")
            # Old rows do not fit into a ledger that was created with other columns.
            former = shapes_in(self.account.ask, UNDO).get(LEDGER.replace(".", "__"))
            if former == shapes_in(self.account.ask, "state")["nodes"]:
                self.account.run(
                    f"insert into {LEDGER} select * from {_clone_of(LEDGER)} "
                    f"where {put_back}"
                )

    def forget(self) -> None:
        """Drop the clones, because there is nothing to undo any more."""
        if self.is_kept:
            self.account.run(f"drop schema {UNDO}")
            self.is_kept = False


def _clone_of(name: str) -> str:
    return f"{UNDO}.{name.replace('.', '__')}"
