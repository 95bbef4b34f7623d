"""Several processes at once: only one writes, and readers are not disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.faults import tally
from tests.faults.conftest import Desk, Desks
from tests.project import PROJECT

from reelhouse.engines.duckdb.publish import put_in_place

# Reads every published row in a loop, then prints how often it read each version.
READ = """
import sys
from pathlib import Path
from tests.faults.conftest import read_whole

published, stop = map(Path, sys.argv[1:])
reads = {}
print("reading", flush=True)
while not stop.exists():
    version = read_whole(published)
    reads[version] = reads.get(version, 0) + 1
print(*reads.values())
"""


@contextmanager
def readers(published: Path, count: int = 2) -> Iterator[list[int]]:
    """Read a whole file in several processes during the block; fail if one fails.

    Yields a list, filled after the block: one count of reads per process and version.
    """
    stop = published.with_name("stop")
    reading = [
        subprocess.Popen(
            [sys.executable, "-c", READ, str(published), str(stop)],
            cwd=PROJECT,
            env=os.environ | {"PYTHONPATH": f".{os.pathsep}scripts"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    reads: list[int] = []
    try:
        for reader in reading:
            assert reader.stdout
            assert reader.stdout.readline() == "reading\n"
        yield reads
    finally:
        stop.touch()
        ended = [(*reader.communicate(timeout=120), reader) for reader in reading]
        stop.unlink()
    for said, errors, reader in ended:
        assert reader.returncode == 0, errors
        reads += map(int, said.split())


@pytest.mark.nightly
@pytest.mark.fault("15", "16")
def test_a_run_keeps_other_writers_out_and_readers_in(desk: Desk, desks: Desks) -> None:
    """The other commands meet a run that is paused in its build and then continues."""
    with readers(desk.published, count=1) as reads:
        first = desk.start()
        first.reach("build")
        first.kill(signal.SIGSTOP)
        try:
            for command in ("run", "load", "publish"):
                began = time.monotonic()
                second = desk.start(command)
                assert second.wait() == 1
                assert time.monotonic() - began < 30
                assert second.said == (
                    f"reelhouse: {desk.warehouse} is in use by process {first.pid} "
                    f"(reelhouse run): wait for it to end, or end it.\n"
                )
        finally:
            first.kill(signal.SIGCONT)
        assert first.wait() == 0, first.said
    assert sum(reads) > 1
    desks.check_desk(desk)


@pytest.mark.nightly
@pytest.mark.fault("15")
@pytest.mark.parametrize(
    "commands", [("run", "run"), ("load", "load"), ("load", "run")], ids="-".join
)
def test_of_two_at_the_same_moment_one_works(
    desk: Desk, desks: Desks, commands: tuple[str, str]
) -> None:
    both = [desk.start(command) for command in commands]
    ended = [each.wait() for each in both]
    for status, each in zip(ended, both, strict=True):
        assert status == 0 or "is in use by process" in each.said
    assert 0 in ended
    desk.run()
    desks.check_desk(desk)


DBT = ("-m", "dbt.cli.main", "--quiet", "build", "--exclude-resource-type", "unit_test")


@pytest.fixture
def dbt(desk: Desk, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A plain dbt build that has started and holds the warehouse."""
    places = ("--log-path", str(tmp_path / "logs"), "--target-path", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, *DBT, *places],
        cwd=PROJECT,
        env=os.environ | {"REELHOUSE_WAREHOUSE": str(desk.warehouse)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        while process.poll() is None and not holds(process.pid, desk.database):
            time.sleep(0.05)
        yield process


def holds(process: int, file: Path) -> bool:
    """Whether a process has a file open."""
    handles = Path(f"/proc/{process}/fd").iterdir()
    return any(handle.exists() and handle.samefile(file) for handle in handles)


@pytest.mark.nightly
@pytest.mark.fault("15")
def test_a_run_waits_for_no_dbt_that_builds(
    desk: Desk, desks: Desks, dbt: subprocess.Popen[str]
) -> None:
    run = desk.start()
    assert run.wait() == 1
    desk.check_message(run, rf"is in use by process {dbt.pid}: wait for it to end")
    assert dbt.wait(300) == 0, dbt.communicate()
    desk.run()
    desks.check_desk(desk)


@pytest.mark.nightly
@pytest.mark.fault("15")
def test_two_dbt_builds_are_one_after_the_other(
    desk: Desk, desks: Desks, dbt: subprocess.Popen[str], tmp_path: Path
) -> None:
    second = subprocess.run(
        [
            *(sys.executable, *DBT),
            *("--log-path", str(tmp_path / "other"), "--target-path"),
            str(tmp_path / "other"),
        ],
        cwd=PROJECT,
        env=os.environ | {"REELHOUSE_WAREHOUSE": str(desk.warehouse)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if second.returncode:
        assert f"PID {dbt.pid}" in second.stdout
    assert dbt.wait(300) == 0, dbt.communicate()
    desk.run()
    desks.check_desk(desk)


@pytest.mark.nightly
@pytest.mark.fault("16")
def test_readers_see_one_of_two_versions_during_a_hundred_publishes(
    desk: Desk, desks: Desks, tmp_path: Path
) -> None:
    versions = [tmp_path / "one.duckdb", tmp_path / "other.duckdb"]
    versions[0].write_bytes(desk.published.read_bytes())
    versions[1].write_bytes(desks.unharmed.read_bytes())
    with readers(desk.published) as reads:
        for number in range(100):
            prepared = tmp_path / "prepared.duckdb"
            prepared.write_bytes(versions[number % 2].read_bytes())
            put_in_place(prepared, desk.published)
    assert len(reads) == 4, "each reader has seen both versions"
    tally.count("publishes beside readers", 100)
    tally.count("reads of everything meanwhile", sum(reads))
    desks.check(desk.published)
