"""What runs ask of an account: statements, scans, rewrites, in an emulated one.

Counts are those of the statements that our own connector sends. Credits are reasoned
from them, since no emulator costs any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from reelhouse.settings import Settings, environment

# Tables with a row for each rating.
LARGE = ("raw.ratings", "marts.fct_ratings")
# How Snowflake is taken to behave; nobody has measured it.
CREDITS_PER_HOUR = 1
THREADS = 4
STATEMENT_SECONDS = 0.4
ROWS_PER_SECOND = 8_000_000
IDLE_SECONDS = 60
REASONING = f"""\
Counted of what the connector sends to the emulated account; what is asked does not
depend on the number of ratings. A view counts as the tables that it reads, and a
statement works on the warehouse when it reads or writes rows of a table that is not the
information schema's. Credits are reasoned, not measured: an X-Small warehouse costs
{CREDITS_PER_HOUR} credit an hour, runs {THREADS} statements at a time, takes \
{STATEMENT_SECONDS} s for each beside its rows,
reads {ROWS_PER_SECOND // 1_000_000} million rows a second, and idles for \
{IDLE_SECONDS} s before it sleeps."""

WORK = (exp.Insert, exp.Merge, exp.Delete, exp.Update, exp.Copy, exp.Query)


@dataclass
class Asked:
    """What a run asked of the account.

    `large_scans` are reads of tables with a row for each rating, `rewritten` the tables
    that were made anew as a whole, by name; `unchanged` those of them that are
    published and hold what they held before.
    """

    statements: int
    on_warehouse: int
    scans: int
    large_scans: int
    rewritten: list[str]
    unchanged: list[str]

    def credits(self, ratings: int) -> float:
        """Credits of a run with so many ratings, as reasoned above."""
        busy = self.on_warehouse * STATEMENT_SECONDS / THREADS
        reading = self.large_scans * ratings / ROWS_PER_SECOND
        return (busy + reading + IDLE_SECONDS) / 3600 * CREDITS_PER_HOUR


class Log:
    """Statements in the order in which they were sent, and the views they made."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.views: dict[str, Counter[str]] = {}

    def take(self) -> Asked:
        """What was asked since the last time."""
        on_warehouse = 0
        scans: Counter[str] = Counter()
        rewritten = []
        for text in self.statements:
            statement = _parsed(text)
            if isinstance(statement, exp.Create) and statement.kind == "VIEW":
                self.views[_name(statement)] = _reads(statement.expression)
            elif _is_on_warehouse(statement):
                on_warehouse += 1
                scans += self._base_tables(_reads(statement))
                if isinstance(statement, exp.Create):
                    rewritten.append(_name(statement))
        asked = Asked(
            len(self.statements),
            on_warehouse,
            scans.total(),
            sum(scans[table] for table in LARGE),
            rewritten,
            [],
        )
        self.statements.clear()
        return asked

    def _base_tables(self, reads: Counter[str]) -> Counter[str]:
        """What is read in the end, where a view counts as all that it reads."""
        found: Counter[str] = Counter()
        for name, times in reads.items():
            below = (
                self._base_tables(self.views[name])
                if name in self.views
                else Counter({name: 1})
            )
            for table, count in below.items():
                found[table] += times * count
        return found


@contextmanager
def listening() -> Iterator[Log]:
    """Write down what this process sends to Snowflake."""
    from reelhouse.engines.snowflake import connection as snowflake

    cursor = snowflake.connector().cursor.SnowflakeCursor
    log = Log()
    execute = cursor.execute

    def listened(self: Any, command: str, *args: Any, **options: Any) -> Any:
        log.statements.append(command)
        return execute(self, command, *args, **options)

    cursor.execute = listened
    try:
        yield log
    finally:
        cursor.execute = execute


def ask_thrice(settings: Settings, made: Path) -> dict[str, dict[str, Any]]:
    """What is asked by a first run, one after 1 % new ratings, one with nothing new."""
    from reelhouse.engines.snowflake.reading import fetch_serving
    from reelhouse.local.emulator import environment as account_variables
    from reelhouse.local.emulator import serve_emulator
    from reelhouse.run import run
    from reelhouse.serving.compare import compare
    from tools.bench import data

    source = Path(settings.source)
    data.deliver_all(made, source)
    asked = {}
    before: Path | None = None
    with serve_emulator() as account, environment(account_variables(account)):
        for number, name in enumerate(("first run", "1 % new", "nothing new")):
            if number == 1:
                data.deliver_later(made, source, data.NEW_OBJECT)
            with listening() as log:
                run(settings)
                each = log.take()
            after = settings.warehouse / f"{number}.duckdb"
            fetch_serving(after)
            if before:
                equal = {t.name for t in compare(before, after).tables if t.is_equal}
                each.unchanged = [
                    table
                    for table in each.rewritten
                    if table.startswith("marts.")
                    and table.removeprefix("marts.") in equal
                ]
            asked[name] = asdict(each)
            before = after
    return asked


@cache
def _parsed(text: str) -> exp.Expr | None:
    """The statement; None where sqlglot knows none such, as of SHOW and PUT."""
    try:
        parsed = sqlglot.parse_one(text, read="snowflake")
    except sqlglot.ParseError:
        return None
    return None if isinstance(parsed, exp.Command) else parsed


def _is_on_warehouse(statement: exp.Expr | None) -> bool:
    """Whether the warehouse has to work, and not the cloud services alone."""
    if isinstance(statement, exp.Create):
        makes_rows = isinstance(statement.expression, exp.Query)
        return statement.kind == "TABLE" and makes_rows
    if not isinstance(statement, WORK):
        return False
    schemas = {table.db.lower() for table in statement.find_all(exp.Table)}
    return bool(schemas - {"", "information_schema"})


def _reads(statement: exp.Expr | None) -> Counter[str]:
    """The relations that a statement reads, each as often as it names it."""
    if statement is None:
        return Counter()
    written = statement.this if isinstance(statement, exp.DML | exp.Create) else None
    return Counter(
        _name(table)
        for table in statement.find_all(exp.Table)
        if table.db and table is not written and table.parent is not written
    )


def _name(expression: exp.Expr) -> str:
    table = expression.find(exp.Table)
    assert table is not None
    return f"{table.db}.{table.name}".lower()
