"""The contenders: each a process of its own, `python -m tools.bench.contenders`.

A contender reads its files from REELHOUSE_SOURCE and works in REELHOUSE_WAREHOUSE.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from reelhouse.settings import project, read_settings
from tools.bench.measure import Laps

SCRIPT = Path(__file__).parent / "floor.sql"


def run(laps: Laps) -> None:
    """`reelhouse run`."""
    from reelhouse.run import run as run_all

    built = run_all(read_settings(), on_step=laps.lap).built
    counts = {"models": built.models, "tests": built.tests}
    seconds: dict[str, float] = {}
    for each in built.times:
        seconds[each.name] = seconds.get(each.name, 0) + each.seconds
    laps.report(counts, seconds)


def floor(laps: Laps) -> None:
    """The same tables by SQL written by hand."""
    from reelhouse.engines.duckdb.connection import connect

    settings = read_settings()
    settings.warehouse.mkdir(parents=True)
    connection = connect(settings.database)
    connection.execute("set variable files = ?", [settings.source])
    connection.execute("set variable seeds = ?", [str(project() / "seeds")])
    for step, statements in steps_of_floor():
        connection.execute(statements)
        # A step is done when its rows are in the file.
        connection.execute("checkpoint")
        laps.lap(step)
    laps.report({}, {})


def steps_of_floor() -> Iterator[tuple[str, str]]:
    """The steps of the script by name, as its comments mark them."""
    sql = SCRIPT.read_text(encoding="utf-8")
    _, *parts = re.split(r"^-- step: (\w+)$", sql, flags=re.MULTILINE)
    yield from zip(parts[::2], parts[1::2], strict=True)


if __name__ == "__main__":
    {"run": run, "floor": floor}[sys.argv[1]](Laps())
