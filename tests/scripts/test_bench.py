"""The benchmark: contenders that do the same work, and figures that add up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from reelhouse.bench.contenders import FLOOR, over_files, steps_of
from reelhouse.bench.measure import run_contender
from reelhouse.cli import main
from reelhouse.engines.duckdb import connect, literal
from reelhouse.errors import ReelhouseError
from reelhouse.settings import PROJECT, Settings

# What a build alone can know, and columns that no question is asked of.
NOT_BY_HAND = {"health_loads", "health_reconciliation", "health_rejects"}
OURS_ALONE = {("fct_ratings", "load_id"), ("mart_top_movies_by_genre", "entry_key")}

COLUMNS = """
    select table_name, column_name, data_type from duckdb_columns()
    where database_name = ? and schema_name = 'serving'
    and table_name not in ('publication', 'published_tables')
"""


@pytest.mark.parametrize("shape", ["tables", "views over the files"])
def test_sql_by_hand_makes_the_tables_that_we_publish(
    sample: Settings, shape: str, tmp_path: Path
) -> None:
    script = FLOOR.read_text(encoding="utf-8")
    script = script if shape == "tables" else over_files(script)
    hand = connect(tmp_path / "hand.duckdb")
    hand.execute("set variable files = ?", [str(PROJECT / "data/sample")])
    hand.execute("set variable seeds = ?", [str(PROJECT / "seeds")])
    names = []
    for name, statements in steps_of(script):
        hand.execute(statements)
        names.append(name)
    assert names == ["load", "build"]
    hand.execute(f"attach {literal(sample.published)} as published (read_only)")
    ours = set(hand.execute(COLUMNS, ["published"]).fetchall())
    by_hand = set(hand.execute(COLUMNS, ["hand"]).fetchall())
    assert by_hand <= ours
    missing = {(table, column) for table, column, _ in ours - by_hand}
    assert missing >= OURS_ALONE
    assert {table for table, _ in missing - OURS_ALONE} == NOT_BY_HAND
    tables = sorted({table for table, _, _ in by_hand})
    assert len(tables) == 29
    for table in tables:
        columns = ", ".join(name for each, name, _ in sorted(by_hand) if each == table)
        rows = []
        for database in ("hand", "published"):
            # A view names the tables of its own database alone.
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
    message = str(failed.value)
    assert "The contender floor failed (" in message
    assert "nowhere/movies.csv" in message
    assert "leave it out with --against" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ratings", "many"], "write numbers such as 1e6,2e7."),
        (["--against", "spark"], "there is no spark: take some of floor, replay"),
    ],
)
def test_bench_refuses_what_it_cannot_do(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(main, ["bench", *arguments])
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())


@pytest.mark.long
def test_bench_measures_every_contender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELHOUSE_WAREHOUSE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    figures = tmp_path / "figures.json"
    done = CliRunner().invoke(
        main,
        [
            *("bench", "--ratings", "2e3,4000", "--rounds", "1"),
            *("--memory-limit", "1GB", "--json", str(figures)),
        ],
    )
    assert done.exit_code == 0, done.output
    report = json.loads(figures.read_text(encoding="utf-8"))
    assert [size["ratings"] for size in report["sizes"]] == [2000, 4000]
    steps = {
        name: [step for step, cost in rounds[0]["steps"].items() if cost["seconds"] > 0]
        for name, rounds in report["sizes"][0]["rounds"].items()
    }
    run = ["start and end", "upload", "load", "build", "backup", "publish"]
    assert steps == {
        "run": run,
        "build alone": ["start and end", "start of dbt", "build"],
        "floor": ["start and end", "load", "build"],
        "replay": ["start and end", "build", "tests"],
        "theirs": ["start and end", "load", "build"],
        "run, 1 % in a new object": run,
        "run, 1 % in the file": run,
    }
    assert {path.name for path in (tmp_path / "bench").iterdir()} == {
        "ratings-2000",
        "ratings-4000",
    }
