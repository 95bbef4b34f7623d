"""Ctrl-C: a run and its children end within seconds, and the next run is right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.faults.conftest import Desk, Desks
from tests.project import PROJECT

pytestmark = pytest.mark.fault("24")

SECONDS = 10.0
MESSAGE = (
    "reelhouse: Stopped. Each file and table is unchanged or complete; run it again.\n"
)


def children(process: int) -> set[int]:
    """Return the child processes of a process."""
    found: set[int] = set()
    for task in Path(f"/proc/{process}/task").iterdir():
        # A thread may have ended since.
        with suppress(OSError):
            found.update(map(int, (task / "children").read_text().split()))
    return found


@pytest.mark.nightly
def test_a_run_and_its_server_stop(desk: Desk) -> None:
    """Send SIGINT to every process in the foreground, as Ctrl-C in a terminal does."""
    before = desk.prints()
    with subprocess.Popen(
        [sys.executable, "-m", "reelhouse", "run", "--source", "data/sample"],
        cwd=PROJECT,
        env=os.environ | desk.environment(2),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Background tests ignore Ctrl-C, and a child would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as run:
        deadline = time.monotonic() + 120
        while not (started := children(run.pid)):
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(1.0)
        began = time.monotonic()
        os.killpg(run.pid, signal.SIGINT)
        said = run.communicate(timeout=60)
    assert time.monotonic() - began < SECONDS
    assert said == ("", MESSAGE)
    assert run.returncode == 130
    assert not any(Path(f"/proc/{child}").exists() for child in started)
    assert desk.prints() == before


# A step, and the share of a run's time in it before Ctrl-C.
MOMENTS = [("load", 0.0), ("build", 0.0), ("build", 0.3), ("publish", 0.0)]


@pytest.mark.nightly
@pytest.mark.parametrize(("step", "share"), MOMENTS)
def test_the_next_run_is_right(
    desk: Desk, desks: Desks, step: str, share: float
) -> None:
    before = desk.prints()
    run = desk.start()
    run.reach(step)
    run.process.join(share * desks.seconds)
    began = time.monotonic()
    run.kill(signal.SIGINT)
    status = run.wait()
    assert time.monotonic() - began < SECONDS
    if status:
        assert status == 130, run.said
        assert run.said == MESSAGE
        assert desk.prints() == before
    desk.run()
    desks.check_desk(desk)
