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
    r"^```sql (?P<part>\w+)\n(?P<sql>.*?)^```$(?:\n\n(?P<answer>(?:\|[^\n]*\n)+))?",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\(([^)]+)\)")


@dataclass(frozen=True)
class Pitfall:
    """A section of the page: its SQL by part, and answers as rows of texts."""

    title: str
    sql: dict[str, str]
    answers: dict[str, list[list[str]]]
    links: list[str]


def read(section: str) -> Pitfall:
    """A section by its title, its marked blocks, and the tables right behind them."""
    blocks = list(BLOCK.finditer(section))
    return Pitfall(
        title=section.splitlines()[0],
        sql={block["part"]: block["sql"] for block in blocks},
        answers={
            block["part"]: [
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


def answer(*statements: str) -> list[list[str]]:
    """What the last statement answers in a new database: names, then rows, as texts."""
    with duckdb.connect() as connection:
        for statement in statements:
            connection.execute(statement)
        names = [column[0] for column in connection.description or []]
        return [names, *([str(v) for v in row] for row in connection.fetchall())]


def test_there_are_ten_and_each_is_whole() -> None:
    numbers = [pitfall.title.partition(".")[0] for pitfall in PITFALLS]
    assert numbers == [str(number) for number in range(1, 11)]
    for pitfall in PITFALLS:
        assert pitfall.sql.keys() - {"then"} == {"given", "wrong", "right"}
        assert pitfall.answers.keys() == {"wrong", "right"}, pitfall.title
        assert pitfall.answers["wrong"] != pitfall.answers["right"], pitfall.title


@each_pitfall
def test_an_example_has_ten_rows(pitfall: Pitfall) -> None:
    inserted = re.findall(r"\bvalues\b(.*?);", pitfall.sql["given"], re.DOTALL)
    assert sum(values.count("(") for values in inserted) == 10


@each_pitfall
@pytest.mark.parametrize("way", ["wrong", "right"])
def test_sql_gives_the_answer_on_the_page(
    pitfall: Pitfall, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    statements = [pitfall.sql[part] for part in ("given", way)]
    if "then" in pitfall.sql:
        statements.append(pitfall.sql["then"])
    assert answer(*statements) == pitfall.answers[way]


@each_pitfall
def test_the_page_leads_to_where_it_is_avoided(pitfall: Pitfall) -> None:
    assert pitfall.links
    for link in pitfall.links:
        assert (PAGE.parent / link).is_file(), link
