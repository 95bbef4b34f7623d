"""Budget: how many rows each model and its tests may read and handle on the sample.

`python -m tools.bench.budget`, or `make budget`, writes the budget. Rows are
counted and not timed, so they are the same on every machine: DuckDB's own profile of
the statements that dbt ran, on one thread.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import yaml

from reelhouse.engines.duckdb.connection import connect
from reelhouse.settings import Settings, project, read_settings
from tools.bench.statements import Statement, built_statements, raw_alone

BUDGET = project() / "tests/budget.yml"
HEAD = """\
# Rows that each model, snapshot and test of the sample may read from tables, and rows
# that may come out of the operators of its plan in all; tests of a yml file count for
# what they test. Made by `make budget`.
"""

# By name: rows read, and rows handled.
Rows = dict[str, tuple[int, int]]


def rows_of_build(settings: Settings, folder: Path) -> Rows:
    """Return the rows of each statement of the first build of a warehouse.

    The statements run again in a copy of the warehouse, in a new folder.
    """
    with connect(raw_alone(settings, folder)) as connection:
        return count_rows(connection, built_statements(settings))


def count_rows(
    connection: duckdb.DuckDBPyConnection, statements: Iterable[Statement]
) -> Rows:
    """Run statements; return the rows read and handled by each, tests added up."""
    connection.execute("set threads = 1")
    connection.execute("pragma enable_profiling = 'no_output'")
    rows: Rows = {}
    for statement in statements:
        connection.execute(statement.sql).fetchall()
        profile = json.loads(connection.get_profiling_information(format="json"))
        operators = list(_operators(profile.get("operator", [])))
        read = sum(each.get("rows_scanned", 0) for each in operators)
        handled = sum(each["intermediate_rows"] for each in operators)
        if read:
            is_of_other = statement.subject != statement.name
            name = f"tests of {statement.subject}" if is_of_other else statement.name
            before = rows.get(name, (0, 0))
            rows[name] = before[0] + read, before[1] + handled
    return rows


def overruns(rows: Rows, budget: Rows) -> list[str]:
    """Return a sentence for each breach of the budget by a build; none if all is well.

    Fewer rows than in the budget are fine.
    """
    found = [
        f"{name} is not in the budget."
        if name not in budget
        else f"{name} reads {rows[name][0]:,} rows and handles {rows[name][1]:,}; its "
        f"budget is {budget[name][0]:,} and {budget[name][1]:,}."
        for name in sorted(rows)
        if name not in budget
        or rows[name][0] > budget[name][0]
        or rows[name][1] > budget[name][1]
    ]
    gone = [f"{name} is in the budget alone." for name in sorted(budget.keys() - rows)]
    return found + gone


def read_budget(path: Path = BUDGET) -> Rows:
    """The budget as it is stored."""
    stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: (each["read"], each["handled"]) for name, each in stored.items()}


def as_text(rows: Rows) -> str:
    """A budget as it is stored."""
    lines = [
        f"{name}: {{read: {read}, handled: {handled}}}\n"
        for name, (read, handled) in sorted(rows.items())
    ]
    return HEAD + "".join(lines)


def _operators(tree: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for operator in tree:
        yield operator
        yield from _operators(operator.get("children", []))


def first_build(folder: Path) -> Settings:
    """Run only the sample's first delivery, so that every table is built in full."""
    from reelhouse.run import run

    files = folder / "files"
    shutil.copytree(
        project() / "data/sample", files, ignore=shutil.ignore_patterns("20*")
    )
    settings = replace(read_settings(str(files), "dev"), warehouse=folder / "warehouse")
    run(settings)
    return settings


def main() -> None:
    with TemporaryDirectory() as folder:
        settings = first_build(Path(folder))
        rows = rows_of_build(settings, Path(folder) / "replay")
    BUDGET.write_text(as_text(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
