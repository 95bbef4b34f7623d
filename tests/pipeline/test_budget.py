"""No model reads more rows than its budget allows; no test here measures time."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.delivery import UNTESTED, Delivery
from tests.project import PROJECT

from reelhouse.engines.duckdb.connection import connect
from reelhouse.s3 import S3Settings
from tools.bench.budget import (
    BUDGET,
    as_text,
    count_rows,
    first_build,
    overruns,
    read_budget,
    rows_of_build,
)
from tools.bench.statements import Statement

SAMPLE = PROJECT / "data/sample"
INCREMENTAL = ("fct_ratings", "int_user_days_summed")
# The number of ratings of a new user, in an additional object.
CHANGED = 280


@pytest.mark.long
def test_no_model_takes_more_rows_than_its_budget(tmp_path: Path) -> None:
    rows = rows_of_build(first_build(tmp_path), tmp_path / "replay")
    ratings = (SAMPLE / "ratings.csv").read_bytes().count(b"\n") - 1
    assert rows["fct_ratings"][0] >= ratings
    found = overruns(rows, read_budget())
    assert not found, "\n".join([*found, "If it must be so, run `make budget`."])


@pytest.mark.nightly
def test_incremental_models_handle_what_has_changed(
    s3_server: S3Settings, bucket: str, tmp_path: Path
) -> None:
    desk = Delivery(s3_server, bucket, tmp_path)
    files = {path.name: path.read_bytes() for path in SAMPLE.glob("*.csv")}
    desk.put(files).load()
    desk.build(*UNTESTED)
    header, *lines = files["ratings.csv"].splitlines(keepends=True)
    later = [line.split(b",", 1)[1] for line in lines[:CHANGED]]
    more = [b"1000000000," + line for line in later]
    desk.put({"ratings/more.csv": header + b"".join(more)}).load()
    # Compile the statements of the next build without running them.
    desk.build("--select", *INCREMENTAL, command="compile")
    statements = []
    for name in INCREMENTAL:
        (path,) = (tmp_path / "dbt").rglob(f"compiled/**/{name}.sql")
        sql = f"create temp table {name} as {path.read_text(encoding='utf-8')}"
        statements.append(Statement(name, "model", name, sql))
    with connect(desk.settings.database) as connection:
        rows = count_rows(connection, statements)
    for name, (read, handled) in rows.items():
        # The models read and filter all ratings; the changed ones then pass about ten
        # operators.
        assert handled <= 2 * read + 12 * CHANGED, name
        full_read, full_handled = read_budget()[name]
        assert full_handled > 2 * full_read + 12 * CHANGED, "this proves nothing"


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
