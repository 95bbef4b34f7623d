"""The contenders: each a process of its own, `python -m tools.bench.contenders`.

A contender reads its files from REELHOUSE_SOURCE and works in REELHOUSE_WAREHOUSE.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reelhouse.settings import environment, project, read_settings
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


def parse(laps: Laps) -> None:
    """Let dbt parse what `plain` builds."""
    _dbt("parse")
    laps.lap("parse")
    laps.report({}, {})


def plain(laps: Laps) -> None:
    """`dbt build` of the project that lies in the folder of the warehouse."""
    results = _dbt("build").results
    laps.lap("build")
    counts, seconds = {"models": 0, "tests": 0}, {}
    for each in results:
        counts[f"{each.node.resource_type}s"] += 1
        seconds[each.node.name] = each.execution_time
    laps.report(counts, seconds)


def _dbt(command: str) -> Any:
    """Run a dbt command on that project, without DBT_ variables; return its result."""
    from dbt.cli.main import dbtRunner

    folder = str(read_settings(target="dev").warehouse)
    places = ["--project-dir", folder, "--profiles-dir", folder, "--target", "dev"]
    with environment({}, without=("DBT_",)):
        done: Any = dbtRunner().invoke(["--quiet", command, *places])
    if not done.success:
        failed = [
            f"{each.node.name}: {each.message}"
            for each in getattr(done.result, "results", [])
            if each.status in {"error", "fail"}
        ]
        raise SystemExit(f"dbt failed: {done.exception or '; '.join(failed)}")
    return done.result


def floor(laps: Laps) -> None:
    """Build the same tables by SQL written by hand."""
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
    {"run": run, "parse": parse, "plain": plain, "floor": floor}[sys.argv[1]](Laps())
