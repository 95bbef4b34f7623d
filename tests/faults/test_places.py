"""Another time zone or locale changes no value."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.faults.conftest import Desk, Desks

ELSEWHERE = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "tr_TR.UTF-8"}


@pytest.mark.nightly
@pytest.mark.fault("21")
def test_a_run_elsewhere_publishes_the_same(desk: Desk, desks: Desks) -> None:
    run = desk.start(variables=ELSEWHERE)
    assert run.wait() == 0, run.said
    desks.check_desk(desk)


@pytest.mark.nightly
@pytest.mark.fault("21")
@pytest.mark.parametrize("zone", ["America/St_Johns", "Asia/Kathmandu"])
def test_a_machine_without_any_utf8_publishes_the_same(
    desk: Desk, desks: Desks, zone: str
) -> None:
    """Python takes its encoding from the locale before any of our code runs."""
    ascii_alone = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run(
        [sys.executable, "-m", "reelhouse", "run"],
        env=os.environ | desk.environment(2) | ascii_alone | {"TZ": zone},
        check=True,
        capture_output=True,
        timeout=300,
    )
    desks.check_desk(desk)
