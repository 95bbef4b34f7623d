"""A copy of the project for tests that change it as a page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.kept import KEPT, MAKERS, TREE, kept
from tests.project import PROJECT

from reelhouse import contract
from reelhouse.settings import Settings
from reelhouse.transform import build

# mypy's cache comes along, without which it takes a minute.
BUILT = (
    *(".git", ".venv", "target", "logs", "warehouse", "__pycache__"),
    *(".[pr]*_cache", ".hypothesis"),
)
# What a small tree is left with, and what these read.
WANTED = (
    *("fct_ratings", "fct_tags", "dim_movies", "health_loads", "mart_user_behaviour"),
    *("mart_movie_recommendations", "snap_movies", "snap_recommendations"),
    *("fct_tags_history", "mart_recommendation_history"),
)
# The generic tests of a small tree: those that name the key of a table.
KEYS = {"unique", "unique_combination"}
UNREAD = ("docs", "sample", "browser", "scripts")
# What `make test` calls to install things, which are there.
INSTALLS_NOTHING = "#!/bin/sh\n"


def copied(tree: Path, to: Path, *unread: str) -> Path:
    """A copy of a tree without what was built in it, but for what dbt has parsed.

    dbt parses what differs then, and not the whole.
    """
    shutil.copytree(tree, to, ignore=shutil.ignore_patterns(*BUILT, *unread))
    parsed = tree / "target/parsed"
    if parsed.exists():
        shutil.copytree(parsed, to / "target/parsed")
    return to


class Tree:
    """A copy of the project under git, for a person who follows the page."""

    def __init__(self, folder: Path) -> None:
        self.folder = copied(PROJECT, folder / "tree")
        (self.folder / "scripts/install.sh").write_text(INSTALLS_NOTHING)
        bin_folder = Path(sys.executable).parent
        (self.folder / ".venv").symlink_to(bin_folder.parent)
        self.variables = {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONPATH": str(self.folder / "scripts"),
            "REELHOUSE_PROJECT_DIR": str(self.folder),
            "COLUMNS": "200",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        person = "-c user.name=Test -c user.email=test@example.com"
        self.run(f"git init -q && git add -A && git {person} commit -q -m Start")

    def run(self, commands: str) -> str:
        """What commands print; they must all succeed."""
        ran = subprocess.run(
            ["/bin/sh", "-e", "-c", commands],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, f"{commands}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def prune(tree: Path, *wanted: str) -> None:
    """Leave in a copy of the tree the wanted models, and all that is read for them."""
    files: dict[str, list[Path]] = {}
    for part in ("models/*/**/*.*", "snapshots/*", "seeds/*"):
        for path in tree.glob(part):
            files.setdefault(path.stem, []).append(path)
    kept = list(wanted)
    for name in kept:
        for path in files[name]:
            kept += [each for each in _refs(path) if each not in kept]
    for name, paths in files.items():
        if not name.startswith("_") and name not in kept:
            for path in paths:
                path.unlink()
    for path in [*tree.glob("tests/data_tests/**/*.sql"), *tree.glob("analyses/*")]:
        if not {*_refs(path)} <= {*kept} or path.parent.name == "analyses":
            path.unlink()
    for name in ("_exposures.yml", "_saved_queries.yml"):
        (tree / "models" / name).unlink()
    for path in tree.glob("tests/data_tests/*.yml"):
        path.unlink()
    for folder in ("models", "seeds", "snapshots"):
        for path in (tree / folder).rglob("*.yml"):
            _leave_keys_alone(path)


def _leave_keys_alone(path: Path) -> None:
    """Take out the tests of a file that name no key: each costs what a model does."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    for kind in ("models", "seeds", "snapshots"):
        for node in found.get(kind, []):
            for tested in (node, *node.get("columns", [])):
                # A test is a name, or a name with its arguments.
                kept = [
                    test
                    for test in tested.pop("data_tests", [])
                    if KEYS.intersection([test] if isinstance(test, str) else test)
                ]
                if kept and kind == "models" and "marts" in path.parts:
                    tested["data_tests"] = kept
    found.pop("unit_tests", None)
    # A test may edit the text of a contract.
    if "sources" not in found:
        path.write_text(yaml.safe_dump(found, sort_keys=False, width=10_000))


def small_tree() -> Path:
    """A copy of the project with few models and tests, which dbt has parsed.

    What is made of it again, with an edit, need not be parsed whole.
    """

    def make(tree: Path) -> None:
        for name in TREE:
            copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            copy(PROJECT / name, tree / name)
        prune(tree, *WANTED)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REELHOUSE_PROJECT_DIR", str(tree))
            for target in ("dev", "prod"):
                build.parsed(Settings("", KEPT, target, None, 1.0, None))

    return kept("tree", (*TREE, *MAKERS), make)


def _refs(path: Path) -> list[str]:
    return re.findall(r"ref\(\s*'(\w+)'", path.read_text(encoding="utf-8"))


class EditedTree:
    """A copy of the project, which this process takes for the project, and its edits.

    `tree` may be another than the project: a small one.
    """

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, tree: Path = PROJECT
    ) -> None:
        self.folder = copied(tree, folder / "edited", *UNREAD)
        patch.setenv("REELHOUSE_PROJECT_DIR", str(self.folder))
        self.before: dict[str, str] = {}
        self.read_again()

    def read_again(self) -> None:
        """Forget what was read of the tree."""
        contract.entities.cache_clear()
        contract.ledger_tables.cache_clear()

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace the one place where a file has a text."""
        text = (self.folder / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times"
        self.write(name, text.replace(old, new))

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        if name not in self.before:
            is_there = path.exists()
            self.before[name] = path.read_text(encoding="utf-8") if is_there else ""
        path.write_text(text, encoding="utf-8")
        self.read_again()

    def take_back(self, *names: str) -> None:
        """Give files their first text again, all without names."""
        for name in names or tuple(self.before):
            text = self.before.pop(name)
            if text:
                (self.folder / name).write_text(text, encoding="utf-8")
            else:
                (self.folder / name).unlink()
        self.read_again()

    @property
    def edits(self) -> dict[str, str]:
        """The files that are not as they were, with their texts."""
        return {
            name: (self.folder / name).read_text(encoding="utf-8")
            for name in self.before
        }
