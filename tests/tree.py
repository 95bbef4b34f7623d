"""Copies of the project for tests that change it as the documentation says."""

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

# Keeps mypy's cache, without which mypy takes a minute.
BUILT = (
    *(".git", ".venv", "target", "logs", "warehouse", "__pycache__"),
    *(".[pr]*_cache", ".hypothesis"),
)
# The models of a small tree; everything they read is kept too.
WANTED = (
    *("fct_ratings", "fct_tags", "dim_movies", "health_loads", "mart_user_behaviour"),
    *("mart_movie_recommendations", "snap_movies", "snap_recommendations"),
    *("fct_tags_history", "mart_recommendation_history"),
)
# The generic tests of a small tree: those that check the key of a table.
KEYS = {"unique", "unique_combination"}
UNREAD = ("docs", "sample", "browser", "scripts")
# Replaces the script with which `make test` installs packages: all are installed.
INSTALLS_NOTHING = "#!/bin/sh\n"


def copied(tree: Path, to: Path, *unread: str) -> Path:
    """Copy a tree without its build products, but with the files that dbt has parsed.

    With those, dbt parses only what differs.
    """
    shutil.copytree(tree, to, ignore=shutil.ignore_patterns(*BUILT, *unread))
    parsed = tree / "target/parsed"
    if parsed.exists():
        shutil.copytree(parsed, to / "target/parsed")
    return to


class Tree:
    """A copy of the project under git, to follow the steps of a page in."""

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
        """Run shell commands and return their output; all of them must succeed."""
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
    """Remove everything from a tree except the wanted models and what they read."""
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
    """Remove the tests that check no key from a file: each costs as much as a model."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    for kind in ("models", "seeds", "snapshots"):
        for node in found.get(kind, []):
            for tested in (node, *node.get("columns", [])):
                # A test is a name, or a name with arguments.
                kept = [
                    test
                    for test in tested.pop("data_tests", [])
                    if KEYS.intersection([test] if isinstance(test, str) else test)
                ]
                if kept and kind == "models" and "marts" in path.parts:
                    tested["data_tests"] = kept
    found.pop("unit_tests", None)
    # Keep the text of the contract: tests edit it with exact replacements.
    if "sources" not in found:
        path.write_text(yaml.safe_dump(found, sort_keys=False, width=10_000))


def small_tree() -> Path:
    """Return a copy of the project with few models and tests, already parsed by dbt.

    dbt need not parse an edited copy of it from scratch.
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
    """An edited copy of the project, which this process uses as the project.

    `tree` is what to copy: the project, or a small tree.
    """

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, tree: Path = PROJECT
    ) -> None:
        self.folder = copied(tree, folder / "edited", *UNREAD)
        patch.setenv("REELHOUSE_PROJECT_DIR", str(self.folder))
        self.before: dict[str, str] = {}
        self.read_again()

    def read_again(self) -> None:
        """Clear the caches of what was read from the tree."""
        contract.entities.cache_clear()
        contract.ledger_tables.cache_clear()

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace `old`, which must occur exactly once in the file, with `new`."""
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
        """Restore the original text of files; of all edited files if none is named."""
        for name in names or tuple(self.before):
            text = self.before.pop(name)
            if text:
                (self.folder / name).write_text(text, encoding="utf-8")
            else:
                (self.folder / name).unlink()
        self.read_again()

    @property
    def edits(self) -> dict[str, str]:
        """The current text of every file that was edited and not restored."""
        return {
            name: (self.folder / name).read_text(encoding="utf-8")
            for name in self.before
        }
