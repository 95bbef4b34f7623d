"""Another source replaces MovieLens by following docs/own-data.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.project import PROJECT
from tests.tree import Tree

PAGE = PROJECT / "docs/own-data.md"
# Commands to run, or a table of their expected output.
STEP = re.compile(
    r"^```sh\n(?P<commands>.*?)^```$"
    r"|^\|[^\n]*\|\n\| --- (?P<rows>.*?)\n\n",
    re.MULTILINE | re.DOTALL,
)


def cells(line: str, separator: str) -> list[str]:
    return [cell for cell in re.split(separator, line.strip()) if cell]


@pytest.mark.nightly
def test_a_bookshop_takes_the_place_of_movielens(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    printed: list[list[str]] = []
    rows = 0
    for step in STEP.finditer(PAGE.read_text(encoding="utf-8")):
        if step["commands"]:
            out = tree.run(step["commands"])
            printed = [cells(line, r"\s{2,}") for line in out.splitlines()]
        elif printed:
            for line in step["rows"].splitlines()[1:]:
                assert cells(line, r"\s*\|\s*") in printed
                rows += 1
    assert rows == 7
    speaking = tree.run("git grep -il movielens -- models tests macros || true")
    assert speaking == ""
