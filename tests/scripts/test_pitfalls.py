"""Each pitfall of docs/pitfalls.md gives the wrong and right answers of the page."""

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
    """A section of the page: SQL to run before either way, the ways, SQL to run after.

    Answers are rows of texts.
    """

    title: str
    given: str
    then: str
    ways: dict[str, str]
    answers: dict[str, list[list[str]]]


def read(section: str) -> Pitfall:
    """Parse a section: its title, its blocks of SQL, and the tables after them."""
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
    """Run statements in a new database; return the last answer's names and rows."""
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
