"""A run that is killed: readers see nothing of it, and the next one makes good."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.delivery import HISTORY

from reelhouse.compare import compare
from reelhouse.settings import PROJECT

SAMPLE = PROJECT / "data/sample"
# Rated once more, so that a run has work to do and another outcome.
LATER = b"1,1,0.5,1500000000\r\n"

Start = Callable[[str], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """A function that starts a run on a copy of the sample in a warehouse."""
    shutil.copytree(SAMPLE, tmp_path / "source")

    def run(warehouse: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "reelhouse", "run"),
                *("--source", tmp_path / "source"),
            ],
            env=os.environ | {"REELHOUSE_WAREHOUSE": str(tmp_path / warehouse)},
            stdout=subprocess.DEVNULL,
        )

    return run


@pytest.mark.long
def test_kills_leave_no_trace(start: Start, tmp_path: Path) -> None:
    began = time.monotonic()
    assert start("killed").wait() == 0
    whole = time.monotonic() - began
    with (tmp_path / "source/ratings.csv").open("ab") as ratings:
        ratings.write(LATER)
    published = tmp_path / "killed/published.duckdb"
    before = published.read_bytes()
    for share in (0.1, 0.3, 0.6):
        run = start("killed")
        time.sleep(share * whole)
        run.kill()
        assert run.wait() < 0, "it ended before it was killed"
        assert published.read_bytes() == before
    assert start("killed").wait() == 0
    assert start("unharmed").wait() == 0
    comparison = compare(published, tmp_path / "unharmed/published.duckdb")
    differing = {table.name for table in comparison.tables if not table.is_equal}
    assert differing <= HISTORY
    left = {path.name for path in (tmp_path / "killed").iterdir()}
    assert left == {".lock", "backup", "dbt", "published.duckdb", "reelhouse.duckdb"}
