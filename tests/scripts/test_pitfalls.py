"""Each pitfall of docs/pitfalls.md goes wrong and right as the page says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from reelhouse.settings import PROJECT

PAGE = PROJECT / "docs/pitfalls.md"
BLOCK = re.compile(
    r"^(?:\*\*(?P<way>Wrong|Right)\*\*\n\n)?```sql\n(?P<sql>.*?)^```$"
    r"(?:\n\n(?P<answer>(?:\|[^\n]*\n)+))?",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\(([^)]+)\)")


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
    links: list[str]


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
        links=LINK.findall(section),
    )


PITFALLS = [
    read(section)
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")
    if "```" in section
]
each_pitfall = pytest.mark.parametrize("pitfall", PITFALLS, ids=lambda each: each.title)


def answer(statements: str) -> list[list[str]]:
    """What the last statement answers in a new database: names, then rows, as texts."""
    with duckdb.connect() as connection:
        connection.execute(statements)
        names = [column[0] for column in connection.description or []]
        return [names, *([str(v) for v in row] for row in connection.fetchall())]


def test_there_are_ten_and_each_is_whole() -> None:
    numbers = [pitfall.title.partition(".")[0] for pitfall in PITFALLS]
    assert numbers == [str(number) for number in range(1, 11)]
    for pitfall in PITFALLS:
        assert list(pitfall.ways) == list(pitfall.answers) == ["Wrong", "Right"]
        assert pitfall.answers["Wrong"] != pitfall.answers["Right"], pitfall.title


@each_pitfall
def test_an_example_has_ten_rows(pitfall: Pitfall) -> None:
    inserted = re.findall(r"\bvalues\b(.*?);", pitfall.given, re.DOTALL)
    assert sum(values.count("(") for values in inserted) == 10


@each_pitfall
@pytest.mark.parametrize("way", ["Wrong", "Right"])
def test_sql_gives_the_answer_on_the_page(
    pitfall: Pitfall, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = answer(pitfall.given + pitfall.ways[way] + pitfall.then)
    assert found == pitfall.answers[way]


@each_pitfall
def test_the_page_leads_to_where_it_is_avoided(pitfall: Pitfall) -> None:
    assert pitfall.links
    for link in pitfall.links:
        assert (PAGE.parent / link).is_file(), link
