"""No model reads more rows than it has a budget for; nothing here looks at a clock."""

from __future__ import annotations

from pathlib import Path

from reelhouse.bench.budget import (
    BUDGET,
    as_text,
    count_rows,
    overruns,
    read_budget,
    rows_of_build,
)
from reelhouse.bench.statements import Statement
from reelhouse.engines.duckdb import connect
from reelhouse.settings import Settings


def test_no_model_takes_more_rows_than_its_budget(
    sample: Settings, tmp_path: Path
) -> None:
    rows = rows_of_build(sample, tmp_path / "replay")
    assert rows["fct_ratings"][0] >= 28_000
    found = overruns(rows, read_budget())
    assert not found, "\n".join([*found, "If it must be so, run `make budget`."])


def test_rows_are_counted_where_they_are_read_and_in_every_operator() -> None:
    with connect(Path(":memory:")) as connection:
        connection.execute("create table t as select range as i from range(1000)")
        rows = count_rows(
            connection,
            [
                Statement("one", "model", "one", "create table one as from t"),
                Statement("test_a", "test", "one", "from one where i % 2 = 5"),
                Statement(
                    "test_b", "test", "one", "from one as a join one as b using (i)"
                ),
                Statement("empty", "model", "empty", "create view empty as from t"),
            ],
        )
    assert rows.keys() == {"one", "tests of one"}
    assert rows["one"][0] == 1000
    assert rows["one"][1] > 1000
    assert rows["tests of one"][0] == 3000


def test_a_model_beyond_its_budget_is_named(tmp_path: Path) -> None:
    budget = {"same": (5, 9), "fewer": (5, 9), "more": (5, 9), "gone": (1, 1)}
    stored = tmp_path / BUDGET.name
    stored.write_text(as_text(budget), encoding="utf-8")
    assert read_budget(stored) == budget
    rows = {"same": (5, 9), "fewer": (5, 8), "more": (5, 10), "new": (1, 1)}
    assert overruns(rows, budget) == [
        "more reads 5 rows and handles 10; its budget is 5 and 9.",
        "new is not in the budget.",
        "gone is in the budget alone.",
    ]
