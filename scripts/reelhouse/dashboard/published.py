"""Serving: how dashboards and report read the published tables.

All that a page shows comes from one version. Nothing stays open between two reads, so
a run never has to wait and a replaced file is not kept on disk. Answers are cached for
as long as their version is the published one.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, Protocol

import pandas as pd

from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings

Ask = Callable[[str], pd.DataFrame]

PUBLICATION = "select version, published_at, load_id from serving.publication"
# How often a read is tried, if a version is published meanwhile.
ATTEMPTS = 3
# What a preview selects from in place of tables that only a publication has.
BUILT = {
    "publication": """(
        select
            cast(max(sequence) as varchar) as version, max(loaded_at) as published_at,
            (select max(load_id) from raw.loads) as load_id,
            count(distinct case when result = 'pass' then node end) as tests,
            count(distinct case when node like 'model.%' then node end) as models
        from state.nodes
    )""",
    "publications": """(
        select
            '' as version, cast(null as timestamp) as published_at, 0 as load_id,
            0 as load_seconds, 0 as build_seconds, 0 as seconds
        where 1 = 0
    )""",
    "published_tables": """(
        select
            lower(table_name) as name, lower(table_type) as kind,
            cast(null as bigint) as row_count
        from information_schema.tables
        where lower(table_schema) = 'marts'
    )""",
}
KEPT_ANSWERS = 500


@dataclass(frozen=True)
class Pace:
    """How often to look for a new version, in seconds.

    For `look` seconds, the version that was seen last counts as the newest; an open
    page looks every `watch` seconds.
    """

    look: float
    watch: float


HERE, IN_ACCOUNT = Pace(0, 3), Pace(30, 900)


class Place(Hashable, Protocol):
    """Where the published tables are, and how often to look for a new version."""

    @property
    def pace(self) -> Pace: ...

    def opened(self) -> AbstractContextManager[Ask]:
        """Open a query function; raises ReelhouseError if nothing is published."""

    def stale(self) -> dict[str, str] | None:
        """Return what is out of date, and why; None if that is not known."""


@dataclass(frozen=True)
class Published:
    """What a target has published; in an account, each read logs in anew."""

    settings: Settings

    @property
    def pace(self) -> Pace:
        return IN_ACCOUNT if self.settings.is_snowflake else HERE

    @contextmanager
    def opened(self) -> Iterator[Ask]:
        from reelhouse.engines.engine import engine_of
        from reelhouse.engines.warehouse import CannotAnswer

        with engine_of(self.settings).reading(self.settings) as answer:

            def ask(sql: str) -> pd.DataFrame:
                try:
                    return to_frame(*answer(sql))
                except CannotAnswer as error:
                    raise ReelhouseError(
                        f"The published tables cannot be read ({error}): run "
                        f"`reelhouse run` if another version published them."
                    ) from error

            yield ask

    def stale(self) -> dict[str, str] | None:
        from reelhouse.transform.state import state_of

        try:
            state = state_of(self.settings)
        except ReelhouseError:
            return None
        nodes = state.tree.nodes
        return {nodes[each].name: reason for each, reason in state.stale.items()}


@dataclass(frozen=True)
class Preview(Published):
    """What a target has built, whether or not it passed its tests and is published.

    Its version is that of the ledger, which grows with every build.
    """

    @contextmanager
    def opened(self) -> Iterator[Ask]:
        from sqlglot import exp, parse_one

        from reelhouse.engines.engine import engine_of

        dialect = "snowflake" if self.settings.is_snowflake else "duckdb"
        with engine_of(self.settings).asking(self.settings) as answer:

            def ask(sql: str) -> pd.DataFrame:
                names = parse_one(sql, dialect=dialect, into=exp.Select).named_selects
                for name, instead in BUILT.items():
                    sql = re.sub(rf"\bserving\.{name}\b", instead, sql)
                rows = answer(re.sub(r"\bserving\.", "marts.", sql))
                return to_frame(names, rows)

            yield ask


@dataclass(frozen=True)
class InSnowflake:
    """SERVING of the database that an app runs in, or that `st.connection` names."""

    name: str = "snowflake"
    pace: Pace = IN_ACCOUNT

    @contextmanager
    def opened(self) -> Iterator[Ask]:
        import streamlit

        connection = streamlit.connection(self.name)

        def ask(sql: str) -> pd.DataFrame:
            cursor = connection.cursor()
            cursor.execute(sql)
            names = [column[0].lower() for column in cursor.description]
            return to_frame(names, cursor.fetchall())

        yield ask

    def stale(self) -> None:
        """Return None: with access to SERVING only, the ledger cannot be read."""


@dataclass(frozen=True)
class Reading:
    """Answers by their query, all of one version, and when it was published (UTC)."""

    version: str
    published_at: pd.Timestamp
    load_id: int
    frames: Mapping[str, pd.DataFrame]

    def __getitem__(self, sql: str) -> pd.DataFrame:
        return self.frames[sql]


@dataclass
class Serving:
    """Reads from a place, and caches only the answers of the newest version."""

    place: Place
    seen: tuple[str, pd.Timestamp, int] | None = None
    seen_at: float = 0
    answers: dict[str, pd.DataFrame] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def version(self) -> str:
        """The version that is published now, or was a moment ago."""
        return self.read([]).version

    def ask(self, sql: str) -> pd.DataFrame:
        return self.read([sql])[sql]

    def read(self, questions: Collection[str]) -> Reading:
        """Return the answers to the SQL queries of a page.

        Raises ReelhouseError if nothing is published, or if a new version is published
        during each attempt.
        """
        with self.lock:
            is_fresh = time.monotonic() - self.seen_at < self.place.pace.look
            if self.seen and is_fresh and self.answers.keys() >= {*questions}:
                return Reading(
                    *self.seen, {sql: self.answers[sql] for sql in questions}
                )
        with self.place.opened() as ask:
            for _ in range(ATTEMPTS):
                seen = self._look(ask)
                with self.lock:
                    known = dict(self.answers) if self.seen == seen else {}
                new = {sql: ask(sql) for sql in questions if sql not in known}
                if new and self._look(ask) != seen:
                    continue
                with self.lock:
                    if self.seen == seen:
                        self.answers |= new
                        while len(self.answers) > KEPT_ANSWERS:
                            del self.answers[next(iter(self.answers))]
                known |= new
                return Reading(*seen, {sql: known[sql] for sql in questions})
        raise ReelhouseError(
            "New versions were published again and again during reading: try again."
        )

    def _look(self, ask: Ask) -> tuple[str, pd.Timestamp, int]:
        row = ask(PUBLICATION).iloc[0]
        seen = (str(row["version"]), row["published_at"], int(row["load_id"]))
        with self.lock:
            if self.seen != seen:
                self.seen, self.answers = seen, {}
            self.seen_at = time.monotonic()
        return seen


def to_frame(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Return rows as a frame that is the same for both engines.

    Decimals become doubles, dates and timestamps become UTC timestamps; integers with
    nulls stay integers.
    """
    kinds = {bool: "boolean", int: "Int64", float: "float64", Decimal: "float64"}
    columns = {}
    for at, name in enumerate(names):
        values = pd.Series([row[at] for row in rows], dtype="object")
        kind = next((type(value) for value in values if value is not None), str)
        if issubclass(kind, date):
            columns[name] = pd.to_datetime(values, utc=True)
        else:
            columns[name] = values.astype(kinds.get(kind, "object"))
    return pd.DataFrame(columns)


@cache
def serving_of(place: Place) -> Serving:
    """Return the Serving that all readers of a place share."""
    return Serving(place)
