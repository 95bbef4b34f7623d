"""Runs that are killed at random moments: nobody sees it, the next one makes good."""

from __future__ import annotations

import random
import shutil
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.faults import tally
from tests.faults.conftest import Desk, Desks, read_whole

pytestmark = pytest.mark.fault("1")

STEPS = ("load", "build", "publish")


def kill(desk: Desk, desks: Desks, seconds: float, step: str | None = None) -> str:
    """Kill a run after so long, or so long into a step; the step that was hit.

    An empty text where the run was faster.
    """
    before, old = desk.published.read_bytes(), read_whole(desk.published)
    run = desk.start()
    if step:
        run.reach(step)
    run.process.join(seconds)
    if run.process.exitcode is not None:
        assert run.wait() == 0, run.said
        return ""
    run.kill()
    assert run.wait() < 0
    version = read_whole(desk.published)
    if version == old:
        assert desk.published.read_bytes() == before
    else:
        desks.check(desk.published)
    return run.step()


def test_three_kills_in_a_row_leave_no_trace(desks: Desks, desk: Desk) -> None:
    """One in each step, and none of the runs between comes to its end."""
    shares = {"load": 0.0, "build": 0.3, "publish": 0.0}
    for step in STEPS:
        share = shares[step] * random.random()
        assert kill(desk, desks, share * desks.seconds, step) == step
    desk.run()
    desks.check_desk(desk)


@pytest.mark.long
def test_kills_at_random_moments_leave_no_trace(
    desks: Desks, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """After each kill a run that is not killed, from the very files that were left."""
    count = pytestconfig.getoption("kills")
    seed = pytestconfig.getoption("kill_seed") or random.randrange(10**6)
    print(f"{count} kills, --kill-seed {seed}")
    numbers = random.Random(seed)
    moments = iter([numbers.random() for _ in range(3 * count)])
    hit: Counter[str] = Counter()
    lock = threading.Lock()

    def lane(name: str) -> None:
        folder = tmp_path / name
        while True:
            with lock:
                if hit.total() >= count:
                    return
                share = next(moments)
            desk = desks.copy(folder)
            step = kill(desk, desks, share * desks.seconds)
            if step:
                desk.run()
                desks.check_desk(desk)
                with lock:
                    hit[step] += 1
            shutil.rmtree(folder)

    with ThreadPoolExecutor() as pool:
        for ended in [pool.submit(lane, name) for name in ("one", "two")]:
            ended.result()
    steps = ", ".join(f"{number} in {step}" for step, number in sorted(hit.items()))
    tally.remark(f"{hit.total()} kills at random moments ({steps}; seed {seed})")
    assert hit.total() >= count
