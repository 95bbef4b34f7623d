"""Query: answers for people in a terminal, and answers for programs."""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result
from tests.delivery import PUBLISHED

from reelhouse.cli import main, show
from reelhouse.errors import ReelhouseError
from reelhouse.serving.query import write
from reelhouse.settings import Settings

NAMES = ["title", "rating", "seen_at", "share"]
ROWS: list[tuple[Any, ...]] = [
    ("Harbour, The", Decimal("4.5"), datetime(2001, 2, 3, 4, 5, 6), 1 / 3),
    ('Ünder "x"', None, None, 0.0),
]


@pytest.fixture
def ask(sample: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    def asked(*arguments: str) -> Result:
        monkeypatch.setenv("REELHOUSE_WAREHOUSE", str(sample.warehouse))
        return CliRunner().invoke(main, ["query", *arguments])

    return asked


@pytest.mark.long
@pytest.mark.parametrize("table", PUBLISHED)
def test_every_table_fits_eighty_columns(ask: Any, table: str) -> None:
    result = ask(f"select * from {table} order by all limit 20")
    assert result.exit_code == 0
    # Rows that are printed as a list keep their addresses whole.
    lines = [line for line in result.stdout.splitlines() if "https://" not in line]
    assert max(map(len, lines)) <= 80


def test_a_row_below_the_one_before_breaks_texts_and_no_address(
    capsys: pytest.CaptureFixture[str],
) -> None:
    address = "https://" + "a" * 90
    names = [f"column_{number}" for number in range(9)]
    show.table(names, [("long title " * 9, address, *["a text of a row"] * 7)])
    lines = capsys.readouterr().out.splitlines()
    assert [len(line) > 80 for line in lines if "long" not in line].count(True) == 1
    assert any(line.endswith(address) for line in lines)
    assert max(len(line) for line in lines if "long" in line) <= 80


def test_genres_are_a_table_of_rounded_numbers(ask: Any) -> None:
    result = ask("select * from mart_genre_ratings order by genre")
    assert len(result.stdout.splitlines()) < 30
    assert " 3.521 " in result.stdout


@pytest.mark.parametrize(
    ("value", "text"),
    [(1 / 3, "0.333"), (0.0, "0.000"), (-0.0001234, "-1.2e-04"), (None, ""), (7, "7")],
)
def test_a_number_is_rounded_and_never_to_nothing(
    value: object, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show.table(["x"], [(value,)])
    assert capsys.readouterr().out.split("\n")[1].strip() == text


def test_a_table_has_the_beginning_of_a_long_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show.table(["text"], [("x" * 1_000_000,)])
    printed = capsys.readouterr().out
    assert printed.count("x") == 10_000 + 1
    assert " …" in printed


def test_a_reader_may_go_before_the_end(sample: Settings) -> None:
    """For example `| head`."""
    question = "select * from fct_ratings"
    command = [sys.executable, "-m", "reelhouse", "query", "--format", "csv", question]
    with subprocess.Popen(
        command,
        env=os.environ | {"REELHOUSE_WAREHOUSE": str(sample.warehouse)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as asked:
        assert asked.stdout
        assert asked.stderr
        assert asked.stdout.readline().startswith(b"user_id,")
        asked.stdout.close()
        assert asked.stderr.read() == b""
        assert asked.wait(60) == 1


def test_the_engine_s_hint_is_kept(ask: Any) -> None:
    said = ask("select ratng from mart_genre_ratings").stderr
    assert "Candidate bindings" in said
    assert '"rating_count"' in said
    assert "LINE 1" not in said
    assert 'Did you mean "mart_genre_ratings"?' in ask("from mart_genre_rating").stderr


def test_a_question_comes_from_a_file_or_is_given_and_not_both(
    ask: Any, tmp_path: Path
) -> None:
    file = tmp_path / "q.sql"
    file.write_text("select 42 as answer", encoding="utf-8")
    assert ask("--file", str(file), "--format", "csv").stdout == "answer\n42\n"
    for wrong in ([], ["select 1", "--file", str(file)]):
        assert "one question, or name its file" in ask(*wrong).stderr
    file.write_bytes(b"select '\xe8'")
    assert "The question is not UTF-8 text." in ask("--file", str(file)).stderr


def test_programs_get_every_digit(tmp_path: Path) -> None:
    out = io.BytesIO()
    write(NAMES, ROWS, "csv", out)
    assert out.getvalue().decode() == (
        "title,rating,seen_at,share\n"
        '"Harbour, The",4.5,2001-02-03 04:05:06,0.3333333333333333\n'
        '"Ünder ""x""",,,0.0\n'
    )
    out = io.BytesIO()
    write(NAMES, ROWS, "json", out)
    assert json.loads(out.getvalue()) == [
        {
            "title": "Harbour, The",
            "rating": 4.5,
            "seen_at": "2001-02-03 04:05:06",
            "share": 1 / 3,
        },
        {"title": 'Ünder "x"', "rating": None, "seen_at": None, "share": 0.0},
    ]
    out = io.BytesIO()
    write(["x", "y"], [(math.nan, -math.inf)], "json", out)
    assert json.loads(out.getvalue()) == [{"x": None, "y": None}]
    file = tmp_path / "answer.parquet"
    with file.open("wb") as parquet:
        write(NAMES, ROWS, "parquet", parquet)
    assert duckdb.execute(f"from '{file}'").fetchall() == ROWS


def test_two_columns_of_one_name_are_refused_where_one_would_be_lost() -> None:
    write(["x", "x"], [(1, 2)], "csv", io.BytesIO())
    for form in ("json", "parquet"):
        with pytest.raises(ReelhouseError, match="the same name"):
            write(["x", "x"], [(1, 2)], form, io.BytesIO())


def test_numbers_that_a_form_cannot_hold_are_texts(tmp_path: Path) -> None:
    exact, huge = Decimal("12345678901234567890.123"), 2**126
    out = io.BytesIO()
    write(["x", "y"], [(exact, Decimal("1.10"))], "json", out)
    assert json.loads(out.getvalue()) == [{"x": str(exact), "y": 1.1}]
    with (tmp_path / "answer.parquet").open("wb") as file:
        write(["x", "y"], [(huge, exact), (None, None)], "parquet", file)
    rows = duckdb.execute("from read_parquet(?)", [file.name]).fetchall()
    assert rows == [(str(huge), exact), (None, None)]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("\udce9", "The question is not UTF-8 text."),
        ("-- what", "write one select"),
        ("   ", "write one select"),
        ("--all\nselect 1", "nothing has been published"),
    ],
)
def test_an_odd_question_is_answered_in_one_sentence(
    tmp_path: Path, question: str, told: str
) -> None:
    own = {"REELHOUSE_WAREHOUSE": str(tmp_path)}
    result = CliRunner().invoke(main, ["query", question], env=own)
    assert result.exit_code == 1
    assert told in result.stderr
