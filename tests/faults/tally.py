"""Count the rows that the running test case compared, for the table of faults.

A case reports how many rows it compared with an undisturbed run or with the delivered
rows, and how many of these were missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from reelhouse.serving.compare import Comparison, TableComparison, compare


@dataclass
class Tally:
    """Rows that should exist, how many of them are missing, and other counts."""

    compared: int = 0
    lost: int = 0
    counts: dict[str, int] = field(default_factory=dict)


current = Tally()


def reset() -> None:
    global current
    current = Tally()


def rows(expected: Iterable[Hashable], found: Iterable[Hashable]) -> None:
    """Count the expected rows and those that are missing."""
    wanted = Counter(expected)
    current.compared += wanted.total()
    current.lost += (wanted - Counter(found)).total()


def number(expected: int, found: int) -> None:
    """Count expected and missing rows from two numbers."""
    current.compared += expected
    current.lost += max(expected - found, 0)


def published(found: Path, expected: Path) -> Comparison:
    """Compare two published files, and count the expected and the missing rows."""
    comparison = compare(found, expected)
    for table in comparison.tables:
        current.compared += table.right_rows or 0
        current.lost += _lost(table)
    return comparison


def count(what: str, number: int = 1) -> None:
    """Count something else, which the table shows under the fault of the case."""
    current.counts[what] = current.counts.get(what, 0) + number


def _lost(table: TableComparison) -> int:
    """Rows of the right side that are missing or different on the left."""
    if table.method == "none":
        return table.right_rows or 0
    return table.only_right + table.changed
