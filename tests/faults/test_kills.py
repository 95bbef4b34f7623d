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
IN_A_ROW = 4


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


@pytest.mark.long
def test_three_kills_in_a_row_leave_no_trace(desks: Desks, desk: Desk) -> None:
    """One in each step, and none of the runs between comes to its end."""
    shares = {"load": 0.0, "build": 0.3, "publish": 0.0}
    for step in STEPS:
        share = shares[step] * random.random()
        assert kill(desk, desks, share * desks.seconds, step) == step
    desk.run()
    desks.check_desk(desk)


@pytest.mark.trial
def test_kills_at_random_moments_leave_no_trace(
    desks: Desks, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Runs that are killed, some one after the other, and then one that is not.

    That comes at once where a kill has changed a file that lasts, and after
    IN_A_ROW kills at the latest.
    """
    count = pytestconfig.getoption("kills")
    seed = pytestconfig.getoption("kill_seed") or random.randrange(10**6)
    print(f"{count} kills, --kill-seed {seed}")
    numbers = random.Random(seed)
    moments = iter([numbers.random() for _ in range(3 * count)])
    hit: Counter[str] = Counter()
    lock = threading.Lock()

    def row(desk: Desk) -> int:
        """Kills in a row, and a run to the end; how many kills."""
        before = desk.prints()
        kills = 0
        while kills < IN_A_ROW and desk.prints() == before:
            with lock:
                share = next(moments)
            step = kill(desk, desks, share * desks.seconds)
            if not step:
                break
            kills += 1
            with lock:
                hit[step] += 1
        desk.run()
        desks.check_desk(desk)
        return kills

    def lane(name: str) -> int:
        rows = 0
        while hit.total() < count:
            desk = desks.copy(tmp_path / name)
            rows += bool(row(desk))
            shutil.rmtree(desk.warehouse)
        return rows

    with ThreadPoolExecutor() as pool:
        rows = sum(pool.map(lane, ("one", "two")))
    steps = ", ".join(f"{number} in {step}" for step, number in sorted(hit.items()))
    tally.remark(
        f"{hit.total()} kills at random moments ({steps}; seed {seed}), "
        f"with {rows} runs to the end after them"
    )
    assert hit.total() >= count
