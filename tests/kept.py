"""Test inputs that are slow to make: built once from files and cached on disk."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
import time
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

from tests.project import PROJECT

KEPT = PROJECT / "target/tests"
HOUR = 3600
# What dbt reads; below, the code that loads and builds it.
TREE = (
    *("models", "macros", "seeds", "snapshots", "analyses", "tests/data_tests"),
    *("locks", "dbt_project.yml", "profiles.yml", "pyproject.toml"),
)
MAKERS = ("scripts", *(f"tests/{each}.py" for each in ("delivery", "kept", "tree")))


def made_of(*places: str) -> str:
    """Return a hash of all files in `places` and the versions of all packages."""
    found = hashlib.sha256(f"{PROJECT} {sys.version}".encode())
    for package in sorted(f"{each.name} {each.version}" for each in distributions()):
        found.update(f"{package}\n".encode())
    for place in map(PROJECT.joinpath, places):
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and path.suffix != ".pyc":
                content = path.read_bytes()
                found.update(f"{path.relative_to(PROJECT)} {len(content)}\n".encode())
                found.update(content)
    return found.hexdigest()[:16]


def kept(name: str, places: tuple[str, ...], make: Callable[[Path], object]) -> Path:
    """Return a folder that `make` has filled, cached by a hash of `places`.

    Do not write to it. A lock makes other workers and sessions wait until it is full.
    """
    folder = KEPT / f"{name}-{made_of(*places)}"
    is_made = folder.with_suffix(".made")
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_made.exists():
            for older in KEPT.glob(f"{name}-*.made"):
                # Another session may still use the version from before an edit.
                if time.time() - older.stat().st_mtime > HOUR:
                    older.unlink()
                    shutil.rmtree(older.with_suffix(""))
            # Fill the final folder directly: dbt stores the path of a seed.
            make(folder)
            is_made.touch()
    return folder
