"""What a piece of work costs: wall time, CPU time and peak memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from reelhouse.errors import ReelhouseError
from reelhouse.settings import variables

# What a contender does before its first step and after its last one: Python starts,
# imports, and ends.
START = "start and end"


@dataclass(frozen=True)
class Cost:
    """Seconds of wall time and of CPU on all cores; peak memory in bytes."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Measured:
    """What a contender cost, by step and as a whole; `built` counts what it built.

    `nodes` has the seconds of each node that dbt ran, one after the other. Child
    processes of a contender, such as a local S3 server, are not included.
    """

    steps: dict[str, Cost]
    whole: Cost
    built: dict[str, int]
    nodes: dict[str, float]


class Laps:
    """Measures the cost of each step of this process.

    On Linux, the peak of memory can be reset, so each step has its own; elsewhere a
    step's peak is that of all steps so far.
    """

    def __init__(self) -> None:
        self.steps: dict[str, Cost] = {}
        self._begin()

    def _begin(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self.cpu = time.process_time()
        self.last = time.monotonic()

    def lap(self, step: str) -> None:
        self.steps[step] = Cost(
            time.monotonic() - self.last, time.process_time() - self.cpu, _peak()
        )
        self._begin()

    def report(self, built: dict[str, int], nodes: Mapping[str, float]) -> None:
        """Print for `run_contender` what this process cost, and what it built."""
        steps = {name: asdict(cost) for name, cost in self.steps.items()}
        servers = _cpu_seconds_of_children()
        said = {"steps": steps, "servers": servers, "built": built, "nodes": nodes}
        print(json.dumps(said))


def run_contender(name: str, environ: Mapping[str, str]) -> Measured:
    """Run a contender as a process of its own, and measure what it cost.

    Raises ReelhouseError if it fails.
    """
    cpu, start = _cpu_seconds_of_children(), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tools.bench.contenders", name],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=variables() | dict(environ),
        check=False,
    )
    seconds = time.monotonic() - start
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise ReelhouseError(
            f"The contender {name} failed: give it what it lacks, be it memory or "
            f"disk, and measure again. Its end was {done.returncode}, and it "
            f"said:\n{said}"
        )
    said = json.loads(done.stdout)
    cpu = _cpu_seconds_of_children() - cpu - said["servers"]
    steps = {step: Cost(**cost) for step, cost in said["steps"].items()}
    around = Cost(
        seconds - sum(cost.seconds for cost in steps.values()),
        cpu - sum(cost.cpu_seconds for cost in steps.values()),
        0,
    )
    peak = max(cost.peak_bytes for cost in steps.values())
    whole = Cost(seconds, cpu, peak)
    return Measured({START: around, **steps}, whole, said["built"], said["nodes"])


def _cpu_seconds_of_children() -> float:
    """CPU time of child processes that have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _peak() -> int:
    """Return the peak memory of this process since its last reset, in bytes."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
