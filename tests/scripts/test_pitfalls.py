"""Each pitfall of docs/pitfalls.md goes wrong and right as the page says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from tests.project import PROJECT

PAGE = PROJECT / "docs/pitfalls.md"
BLOCK = re.compile(
    r"^(?:\*\*(?P<way>Wrong|Right)\*\*\n\n)?```sql\n(?P<sql>.*?)^```$"
    r"(?:\n\n(?P<answer>(?:\|[^\n]*\n)+))?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Pitfall:
    """A section of the page: the SQL before either way, of it, and asked after it.

    Answers are rows of texts.
    """

    title: str
    given: str
    then: str
    ways: dict[str, str]
    answers: dict[str, list[list[str]]]


def read(section: str) -> Pitfall:
    """A section by its title, its blocks of SQL, and the tables right behind them."""
    blocks = list(BLOCK.finditer(section))
    given, *then = (block["sql"] for block in blocks if not block["way"])
    return Pitfall(
        title=section.splitlines()[0],
        given=given,
        then="".join(then),
        ways={block["way"]: block["sql"] for block in blocks if block["way"]},
        answers={
            block["way"]: [
                [cell.strip() for cell in line.strip("|").split("|")]
                for line in block["answer"].splitlines()
                if "---" not in line
            ]
            for block in blocks
            if block["answer"]
        },
    )


PITFALLS = [
    read(section)
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")
    if "```" in section
]


def answer(statements: str) -> list[list[str]]:
    """What the last statement answers in a new database: names, then rows, as texts."""
    with duckdb.connect() as connection:
        connection.execute(statements)
        names = [column[0] for column in connection.description or []]
        return [names, *([str(v) for v in row] for row in connection.fetchall())]


def test_sql_gives_the_answers_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert PITFALLS
    wrong = []
    for pitfall in PITFALLS:
        for way in ("Wrong", "Right"):
            found = answer(pitfall.given + pitfall.ways[way] + pitfall.then)
            if found != pitfall.answers[way]:
                wrong.append((pitfall.title, way, found))
    assert wrong == []
