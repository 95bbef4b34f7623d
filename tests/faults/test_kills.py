"""Runs killed at random moments: published data stays right, the next run succeeds."""

from __future__ import annotations

import random
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from tests.faults import tally
from tests.faults.conftest import Desk, Desks, read_whole

pytestmark = pytest.mark.fault("1")

STEPS = ("load", "build", "publish")
IN_A_ROW = 4
IN_A_PART = 10


def kill(desk: Desk, desks: Desks, seconds: float, step: str | None = None) -> str:
    """Kill a run `seconds` after its start, or into `step`; return the step it was in.

    Returns an empty text if the run ended first.
    """
    before, old = desk.published.read_bytes(), read_whole(desk.published)
    run = desk.start()
    if step:
        run.reach(step)
    run.process.join(seconds)
    # The run may end by itself before the signal.
    with suppress(ProcessLookupError):
        run.kill()
    status = run.wait()
    if status != -signal.SIGKILL:
        assert status == 0, run.said
        return ""
    version = read_whole(desk.published)
    if version == old:
        assert desk.published.read_bytes() == before
    else:
        desks.check(desk.published)
    return run.step()


@pytest.mark.nightly
def test_three_kills_in_a_row_leave_no_trace(desks: Desks, desk: Desk) -> None:
    """Kill one run in each step, with no complete run in between."""
    shares = {"load": 0.0, "build": 0.3, "publish": 0.0}
    for step in STEPS:
        share = shares[step] * random.random()
        assert kill(desk, desks, share * desks.seconds, step) == step
    desk.run()
    desks.check_desk(desk)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Split the requested kills into parts, each of which is a case."""
    if "part" in metafunc.fixturenames:
        parts = -(-metafunc.config.getoption("kills") // IN_A_PART)
        metafunc.parametrize("part", range(1, parts + 1))


@pytest.mark.nightly
def test_kills_at_random_moments_leave_no_trace(
    part: int, desks: Desks, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Kill one or more runs in a row, then let a run finish.

    The run that finishes comes as soon as a kill has changed a lasting file, and after
    IN_A_ROW kills at the latest.
    """
    wanted = min(IN_A_PART, pytestconfig.getoption("kills") - IN_A_PART * (part - 1))
    seed = pytestconfig.getoption("kill_seed") or random.randrange(10**6)
    print(f"--kill-seed {seed}")
    moments = random.Random(f"{seed} {part}")
    kills = 0
    while kills < wanted:
        desk = desks.first.copy(tmp_path / "warehouse")
        before = desk.prints()
        in_a_row = 0
        while in_a_row < min(IN_A_ROW, wanted - kills) and desk.prints() == before:
            step = kill(desk, desks, moments.random() * desks.seconds)
            if not step:
                break
            in_a_row += 1
            tally.count(f"kills in {step}")
        desk.run()
        desks.check_desk(desk)
        shutil.rmtree(desk.warehouse)
        kills += in_a_row
        tally.count("runs to the end after kills", bool(in_a_row))
