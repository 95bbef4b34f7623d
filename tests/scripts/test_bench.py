"""The benchmark: its contenders do the same work, and its figures add up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.project import PROJECT

from reelhouse.engines.duckdb.connection import connect, literal
from reelhouse.errors import ReelhouseError
from tools.bench.budget import first_build
from tools.bench.command import bench
from tools.bench.contenders import steps_of_floor
from tools.bench.figures import SHOWN, goals
from tools.bench.measure import Cost, Measured, run_contender
from tools.bench.page import MARK, page_of
from tools.bench.session import (
    EDITED,
    FIRST,
    FLOOR,
    LATER,
    NOTHING,
    PLAIN,
    BenchReport,
    Rounds,
    SizeReport,
)

# Tables that only a build can make, and columns that no query uses.
NOT_BY_HAND = {
    *("health_loads", "health_reconciliation", "health_rejects"),
    *("fct_tags_history", "mart_recommendation_history"),
}
OURS_ALONE = {
    ("fct_ratings", "load_id"),
    ("mart_top_movies_by_genre", "entry_key"),
    ("dim_movies", "first_loaded_at"),
    ("dim_movies_history", "first_loaded_at"),
}

COLUMNS = """
    select table_name, column_name, data_type from duckdb_columns()
    where database_name = ? and schema_name = 'serving'
    and table_name not in ('publication', 'publications', 'published_tables')
"""


@pytest.mark.nightly
def test_sql_by_hand_makes_the_tables_that_we_publish(tmp_path: Path) -> None:
    # The SQL by hand loads only the first delivery.
    settings = first_build(tmp_path)
    hand = connect(tmp_path / "hand.duckdb")
    hand.execute("set variable files = ?", [settings.source])
    hand.execute("set variable seeds = ?", [str(PROJECT / "seeds")])
    names = []
    for name, statements in steps_of_floor():
        hand.execute(statements)
        names.append(name)
    assert names == ["load", "build"]
    hand.execute(f"attach {literal(settings.published)} as published (read_only)")
    ours = set(hand.execute(COLUMNS, ["published"]).fetchall())
    by_hand = set(hand.execute(COLUMNS, ["hand"]).fetchall())
    assert by_hand <= ours
    missing = {(table, column) for table, column, _ in ours - by_hand}
    assert missing >= OURS_ALONE
    assert {table for table, _ in missing - OURS_ALONE} == NOT_BY_HAND
    tables = sorted({table for table, _, _ in by_hand})
    assert len(tables) == 31
    for table in tables:
        columns = ", ".join(name for each, name, _ in sorted(by_hand) if each == table)
        rows = []
        for database in ("hand", "published"):
            # A view refers to the tables of its own database only.
            hand.execute(f"use {database}")
            rows.append(
                hand.execute(
                    f"select {columns} from serving.{table} order by all"
                ).fetchall()
            )
        assert rows[0], table
        assert rows[0] == rows[1], table
    hand.close()


def test_a_contender_that_fails_says_why(tmp_path: Path) -> None:
    missing = {
        "REELHOUSE_SOURCE": "nowhere",
        "REELHOUSE_WAREHOUSE": str(tmp_path / "w"),
    }
    with pytest.raises(ReelhouseError) as failed:
        run_contender("floor", missing)
    assert "The contender floor failed" in str(failed.value)
    assert "nowhere/movies.csv" in str(failed.value)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--ratings", "many"], 2), (["--memory-limit", "much"], 1)],
)
def test_bench_refuses_what_it_cannot_do(arguments: list[str], status: int) -> None:
    assert CliRunner().invoke(bench, arguments).exit_code == status


def measured(**steps: float) -> Measured:
    """Return the costs of steps: seconds, half of them CPU, and as many GiB."""
    costs = {name: Cost(s, s / 2, int(s * 2**30)) for name, s in steps.items()}
    seconds = sum(steps.values())
    peak = max(cost.peak_bytes for cost in costs.values())
    built = {"models": 3, "tests": 7}
    nodes = {f"node_{number}": seconds * number for number in range(SHOWN + 2)}
    return Measured(costs, Cost(seconds, seconds / 2, peak), built, nodes)


def size(ratings: int, *seconds: float) -> SizeReport:
    """Return rounds of runs that built for `seconds`, the floor for 2, dbt for 4."""
    rounds: Rounds = {
        FIRST: [measured(load=3, build=each) for each in seconds],
        PLAIN: [measured(build=4)] * len(seconds),
        FLOOR: [measured(load=1, build=2)] * len(seconds),
    }
    for number, name in enumerate(LATER):
        later = measured(load=0.5, build=number)
        rounds[name] = [later] * len(seconds)
    return SizeReport(ratings, rounds)


SAMPLE = {
    name: [measured(build=seconds)] * 3
    for name, seconds in ((FIRST, 9), (NOTHING, 1), (EDITED, 4))
}


def test_goals_are_ratios_of_medians_with_limits_for_some_sizes() -> None:
    sizes = [size(1000, 1), size(20_000_000, 4, 99, 7)]
    found = [
        (goal.measured, goal.in_cpu, goal.limit)
        for goal in goals(BenchReport({}, None, sizes, SAMPLE))
    ]
    no_limits = found[:8]
    assert {limit for *_, limit in no_limits} == {None}
    assert no_limits[1][0] == pytest.approx(4 / 3)  # run to floor
    assert found[8:] == [
        (3, 3, 1.8),  # load to read_csv
        (pytest.approx(10 / 3), pytest.approx(10 / 3), 2),  # run to floor
        (2.5, 2.5, None),  # run to dbt alone
        (0.05, 0.05, 0.04),  # nothing new
        (pytest.approx(0.15), pytest.approx(0.15), 0.1),  # one new tag
        (0.25, 0.25, 0.25),  # a new object
        (0.35, 0.35, 0.4),  # a replaced one
        (pytest.approx(7 * 2**30 / 1e9), None, 1.8),  # memory
        (9, 4.5, 7.5),  # the sample
        (1, 0.5, 1),  # the sample, nothing new
        (4, 2, 2.5),  # the sample, an edited mart
    ]


def test_the_page_keeps_its_text_and_holds_every_figure() -> None:
    sizes = [size(1000, 1), size(10**7, 4, 99, 7)]
    report = BenchReport({"processor": "two cores"}, "4GB", sizes, SAMPLE)
    text = page_of(report, page_of(report, "The text.\n\n"))
    assert text.startswith(f"The text.\n\n{MARK}")
    assert text.count("## Goals\n") == 1
    for line in (
        "reelhouse bench --ratings 1000,10000000 --rounds 3 --memory-limit 4GB "
        "--page docs/performance.md",
        "- processor: two cores",
        "| first run | all (models: 3, tests: 7) | 10.00 | 7.00 – 102.00 | 5.00 "
        "| 7,516 |",
        "|  | load | 3.00 | 3.00 – 3.00 | 1.50 | 3,221 |",
        "## The sample: median of 3 rounds",
        "| first run | node_7 | 63.00 |",
        "|  | node_2 | 18.00 |",
        "|  | 2 other nodes | 9.00 |",
        "| the sample, nothing new, as a command | 1.5 s | ≤ 1 s | 1.00 s | 0.50 s "
        "| yes |",
    ):
        assert f"{line}\n" in text


@pytest.mark.nightly
def test_bench_measures_every_contender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELHOUSE_WAREHOUSE", str(tmp_path))
    figures, page = tmp_path / "figures.json", tmp_path / "page.md"
    done = CliRunner().invoke(
        bench,
        [
            *("--ratings", "2e3", "--rounds", "1", "--memory-limit", "1GB"),
            *("--json", str(figures), "--page", str(page)),
        ],
    )
    assert done.exit_code == 0, done.output
    report = json.loads(figures.read_text(encoding="utf-8"))
    steps = {
        name: [*rounds[0]["steps"]]
        for name, rounds in report["sizes"][0]["rounds"].items()
    }
    run = ["start and end", "load", "parse", "build", "backup", "publish"]
    assert steps == {
        FIRST: run,
        PLAIN: ["start and end", "build"],
        FLOOR: ["start and end", "load", "build"],
        **dict.fromkeys(LATER, run),
        NOTHING: [step for step in run if step != "build"],
    }
    built = {
        name: rounds[0]["built"].get("models", 0)
        for name, rounds in (report["sizes"][0]["rounds"] | report["sample"]).items()
    }
    assert built[NOTHING] == 0
    assert built[EDITED] == 1
    assert 1 < built["one new tag"] < built["1 % in a new object"] < built[FIRST]
    assert page.is_file()
    assert [path.name for path in (tmp_path / "bench").iterdir()] == ["ratings-2000"]
