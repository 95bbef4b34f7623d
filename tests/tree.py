"""A copy of the project for tests that change it as a page says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from reelhouse.settings import PROJECT

# mypy's cache comes along, without which it takes a minute.
BUILT = (
    *(".git", ".venv", "target", "logs", "warehouse", "__pycache__"),
    *(".[pr]*_cache", ".hypothesis"),
)
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
