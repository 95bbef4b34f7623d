"""The benchmark times real runs, and leaves nothing but its generated files."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from reelhouse.cli import main


@pytest.mark.long
def test_bench_times_a_run_and_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELHOUSE_WAREHOUSE", str(tmp_path))
    monkeypatch.delenv("DBT_TARGET", raising=False)
    done = CliRunner().invoke(main, ["bench", "--ratings", "2000"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("2,020 ratings, of which 20 came later")
    for step in ("upload", "load", "build", "publish", "in all"):
        assert f"\n{step} " in done.output
    assert [path.name for path in (tmp_path / "bench").iterdir()] == ["ratings-2000"]
