"""What the case that is running has compared, for the table of faults.

A case says here how many rows it compared with those of an unharmed run, or with
those that were delivered, and how many of these it did not find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from reelhouse.serving.compare import Comparison, TableComparison, compare


@dataclass
class Tally:
    """Rows that should be there, those of them that are not, and other counts."""

    compared: int = 0
    lost: int = 0
    counts: dict[str, int] = field(default_factory=dict)


current = Tally()


def reset() -> None:
    global current
    current = Tally()


def rows(expected: Iterable[Hashable], found: Iterable[Hashable]) -> None:
    """Count rows that should be there, and those that are not."""
    wanted = Counter(expected)
    current.compared += wanted.total()
    current.lost += (wanted - Counter(found)).total()


def number(expected: int, found: int) -> None:
    """The same for rows that were counted already."""
    current.compared += expected
    current.lost += max(expected - found, 0)


def published(found: Path, expected: Path) -> Comparison:
    """Compare two published files, and count the rows of the expected one."""
    comparison = compare(found, expected)
    for table in comparison.tables:
        current.compared += table.right_rows or 0
        current.lost += _lost(table)
    return comparison


def count(what: str, number: int = 1) -> None:
    """Something else that the table counts, under the fault of the case."""
    current.counts[what] = current.counts.get(what, 0) + number


def _lost(table: TableComparison) -> int:
    """Rows of the right side that the left one does not have as they are."""
    if table.method == "none":
        return table.right_rows or 0
    return table.only_right + table.changed
