"""CONTRIBUTING.md and the recipes, followed exactly in a copy of the tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.project import PROJECT
from tests.tree import Tree

PAGES = ("CONTRIBUTING.md", "docs/recipes.md")
# A block of a page: its language, the file named above it, and its text.
BLOCK = re.compile(
    r"(?:^\*\*`(?P<path>[^`\n]+)`\*\*\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# These need a network, or write or test the whole tree, which other tests cover. The
# folder of the environment is already on PATH.
LEFT_OUT = {
    "make docs",
    "make budget",
    "make check",
    ". .venv/bin/activate",
    "make lock",
    "make lock ARGS=--upgrade",
    "make test",
    "make test-full",
    "make nightly",
    "make audit",
}
# The expected output of a command, where its status is not enough.
ANSWERS = {
    "make run": ["tables published"],
    "dbt show --select mart_genre_ratings": ["Comedy"],
    "dbt build --select mart_genre_ratings+": ["ERROR=0"],
    "dbt build --select mart_ratings_by_weekday": ["PASS=6", "ERROR=0"],
    "pytest -n0 tests/pipeline/test_macros.py": ["passed"],
    "reelhouse query": ["Mon", "Sun", "7 rows"],
    "reelhouse load": ["1 of 6 countries rejected and kept aside"],
    "dbt build --select stg_movielens__countries": ["ERROR=0"],
}
# Opens the page that the recipe adds, with its two charts and its table.
OPEN = """
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash
from reelhouse.dashboard.start import APP
app = AppTest.from_file(str(APP), default_timeout=60)
app._page_hash = calc_hash("calendar")
app.run()
assert not app.exception
assert len(app.get("vega_lite_chart")) == 2
assert len(app.dataframe[0].value) == 7
"""
# That, and the checks of `make check` on the changed files.
CHECKS = (
    f"python -c '{OPEN}'",
    "ruff check && ruff format --check && yamllint --strict .",
    "mkdir -p target/lint && make target/lint/dev check-types",
    "REELHOUSE_WAREHOUSE=target/lint sqlfluff lint "
    "$(git ls-files --modified --others --exclude-standard 'models/*.sql')",
)


@dataclass(frozen=True)
class Block:
    """The text of a file, a change to a file, or commands."""

    kind: str
    path: str
    text: str

    def change(self, before: str | None) -> str:
        """Return the file's text after the block; `before` is None for a new file."""
        if self.kind != "diff":
            assert before is None, f"{self.path} is there already"
            return self.text
        lines = self.text.splitlines(keepends=True)
        old = "\n" + "".join(line[1:] or "\n" for line in lines if line[0] != "+")
        new = "\n" + "".join(line[1:] or "\n" for line in lines if line[0] != "-")
        assert before is not None, f"{self.path} is not there"
        text = "\n" + before
        assert text.count(old) == 1, f"{self.path} has not once:{old}"
        return text.replace(old, new)[1:]


def blocks() -> list[Block]:
    """Return the blocks of the pages in order; one without a path has the previous."""
    text = "\n".join((PROJECT / page).read_text(encoding="utf-8") for page in PAGES)
    found, path = [], ""
    for block in BLOCK.finditer(text):
        path = block["path"] or path
        found.append(Block(block["kind"], path, block["text"]))
    return found


def test_each_change_fits_the_tree() -> None:
    files: dict[str, str | None] = {}
    for block in blocks():
        if block.kind != "sh":
            path = PROJECT / block.path
            there = path.read_text(encoding="utf-8") if path.exists() else None
            files[block.path] = block.change(files.get(block.path, there))
    assert len(files) > 6


@pytest.mark.nightly
def test_each_recipe_leads_where_it_says(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    unheard = list(ANSWERS)
    for block in blocks():
        if block.kind != "sh":
            path = tree.folder / block.path
            there = path.read_text(encoding="utf-8") if path.exists() else None
            tree.write(block.path, block.change(there))
            continue
        for command in block.text.splitlines():
            if command in LEFT_OUT:
                continue
            said = tree.run(command)
            for start in [each for each in unheard if command.startswith(each)]:
                unheard.remove(start)
                for words in ANSWERS[start]:
                    assert words in said, f"{command}\n{said}"
    assert not unheard
    for check in CHECKS:
        tree.run(check)
