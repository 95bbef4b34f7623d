"""Snowflake: a run in the account itself, undone from clones unless it ends well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from reelhouse.contract import entities, ledger_tables
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
from reelhouse.engines.warehouse import Ask, Lasting
from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings

# A schema for as long as a run may have to be undone, and in it what that takes.
UNDO = "undo"
RUN = "undo.run"
LEDGER = "state.nodes"


@contextmanager
def attempt(settings: Settings, lasting: Lasting, rebuild: bool) -> Iterator[Attempt]:
    """An attempt in an account, which is undone unless it comes to its end.

    A killed one is undone by the next. `lasting` tells the tables that builds add to.
    """
    with open_warehouse(settings) as warehouse:
        attempted = Attempt(settings, warehouse, lasting, rebuild)
        try:
            yield attempted
        except BaseException as error:
            _undo(attempted.undo, error)
            raise


def _undo(undo: Undo, error: BaseException) -> None:
    """Put everything back; ReelhouseError where the account does not let us."""
    try:
        if not is_lost(error):
            undo.undo()
            return
    except connector().errors.Error as failure:
        error = failure
    why = "the connection was lost" if is_lost(error) else first_line(error)
    raise ReelhouseError(
        f"What this run loaded and built in the account is not undone yet ({why}): "
        f"the next `reelhouse run --target {undo.account.target}` undoes it before all "
        f"else, and readers keep what was published before."
    ) from error


class Attempt:
    """An `engines.engine.Attempt` in an account."""

    former_source: str | None = None
    recovery: Recovery | None = None
    aside: Path | None = None
    has_unreadable_backup = False

    def __init__(
        self,
        settings: Settings,
        warehouse: Warehouse,
        lasting: Lasting,
        rebuild: bool,
    ) -> None:
        self.folder = settings.warehouse
        self.warehouse = warehouse
        self.account = warehouse.account
        self.lasting = lasting
        self.undo = Undo(self.account)
        self.undo.undo()
        warehouse.before_changes = self.prepare
        self.lacks_history = rebuild and warehouse.has_loads()

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
        """Time Travel and Fail-safe are the account's own."""
        return False

    def up_to_date(self, build: Build) -> Publication | None:
        return up_to_date(self.account.ask, build)

    def skip_publish(self) -> None:
        self.undo.forget()

    def publish(self, build: Build) -> Publication:
        return Publisher(self.account).publish(build, before_swap=self.undo.forget)


class Undo:
    """Clones of what a run adds to, for as long as the run may fail."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.is_kept = False

    def keep(self, built: Mapping[str, str]) -> None:
        """Keep clones of what a run adds to, so that `undo` can put it back.

        That is raw, and what of the dbt tree is not made anew each time: `built` are
        its tables, as schema.table, by unique id.
        """
        raw = [*entities().values(), *ledger_tables()]
        names: dict[str, str | None] = {f"raw.{table.name}": None for table in raw}
        names |= {table: unique_id for unique_id, table in built.items()}
        names[LEDGER] = None
        there = self.account.tables()
        self.account.run(f"create schema {UNDO} data_retention_time_in_days = 0")
        self.is_kept = True
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
        """Put back what a run that failed, or was killed, has added to; if it did.

        Of the ledger, the rows of what is put back. The others are right as they are,
        since a build takes out the row of what it is about to make. A run that was
        killed while it made its clones has changed nothing.
        """
        self.is_kept = bool(
            self.account.ask(
                "select 1 from information_schema.schemata "
                f"where schema_name = {literal(UNDO.upper())}"
            )
        )
        there = self.account.tables() if self.is_kept else {}
        if RUN in there:
            self._put_back(there)
        self.forget()

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
            # One that was made anew has no place for rows of the former one.
            if self.account.columns(_clone_of(LEDGER)) == self.account.columns(LEDGER):
                self.account.run(
                    f"insert into {LEDGER} select * from {_clone_of(LEDGER)} "
                    f"where {put_back}"
                )

    def forget(self) -> None:
        """There is nothing to be undone any more."""
        if self.is_kept:
            self.account.run(f"drop schema {UNDO}")
            self.is_kept = False


def _clone_of(name: str) -> str:
    return f"{UNDO}.{name.replace('.', '__')}"
