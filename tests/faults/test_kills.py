"""Runs that are killed at random moments: nobody sees it, the next one makes good."""

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
    """Kill a run after so long, or so long into a step; the step that was hit.

    An empty text where the run was faster.
    """
    before, old = desk.published.read_bytes(), read_whole(desk.published)
    run = desk.start()
    if step:
        run.reach(step)
    run.process.join(seconds)
    # It may end by itself even now.
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
    """One in each step, and none of the runs between comes to its end."""
    shares = {"load": 0.0, "build": 0.3, "publish": 0.0}
    for step in STEPS:
        share = shares[step] * random.random()
        assert kill(desk, desks, share * desks.seconds, step) == step
    desk.run()
    desks.check_desk(desk)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Cut the kills that are asked for into parts, each of which is a case."""
    if "part" in metafunc.fixturenames:
        parts = -(-metafunc.config.getoption("kills") // IN_A_PART)
        metafunc.parametrize("part", range(1, parts + 1))


@pytest.mark.nightly
def test_kills_at_random_moments_leave_no_trace(
    part: int, desks: Desks, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Runs that are killed, some one after the other, and then one that is not.

    That comes at once where a kill has changed a file that lasts, and after
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
