"""What a piece of work costs: wall time, CPU time and the most memory at a time."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reelhouse.errors import ReelhouseError
from reelhouse.settings import variables

# What a contender does before its first step and after its last one: Python starts,
# imports, and ends.
START = "start and end"
# What a traceback ends with, were it not for lines that DuckDB adds.
ERROR = re.compile(r"^[\w.]*(?:Error|Exception|Failed): .*", re.MULTILINE)


@dataclass(frozen=True)
class Cost:
    """Seconds of wall time and of CPU on all cores; bytes of memory at the most."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Measured:
    """What a contender cost: each step, and all of it.

    `servers` is the cost of its own child processes, which is in no step; `told` is
    what it has to say beyond that.
    """

    steps: dict[str, Cost]
    whole: Cost
    servers: Cost
    told: dict[str, Any]


class Laps:
    """Takes the cost of each step of this process.

    Linux forgets the peak of memory when it is told to, so that each step has its own;
    elsewhere a step's peak is that of all steps so far.
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


def report(laps: Laps, **told: Any) -> None:
    """In the contender: tell `run_contender` what it cost."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    servers = Cost(0.0, usage.ru_utime + usage.ru_stime, _bytes(usage.ru_maxrss))
    steps = {name: asdict(cost) for name, cost in laps.steps.items()}
    print(json.dumps({"steps": steps, "servers": asdict(servers), "told": told}))


def run_contender(name: str, environ: Mapping[str, str], *arguments: str) -> Measured:
    """Run a contender as a process of its own, and take what it cost.

    Raises ReelhouseError where it fails.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as log:
        start = time.monotonic()
        process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "tools.bench.contenders",
                name,
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            env=variables() | dict(environ),
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            errors = ERROR.findall(log.read().decode(errors="replace"))
            why = errors[-1] if errors else f"exit status {process.returncode}"
            raise ReelhouseError(
                f"The contender {name} failed ({why}): leave it out with --against, or "
                f"give it what it lacks, be it memory, disk, or a package that "
                f"`make check` installs."
            )
        out.seek(0)
        said = json.loads(out.read())
    steps = {step: Cost(**cost) for step, cost in said["steps"].items()}
    servers = Cost(**said["servers"])
    # wait4 counts in what the process has waited for itself, such as a server.
    cpu = usage.ru_utime + usage.ru_stime - servers.cpu_seconds
    start_cost = Cost(
        seconds - sum(cost.seconds for cost in steps.values()),
        cpu - sum(cost.cpu_seconds for cost in steps.values()),
        0,
    )
    peak = max(cost.peak_bytes for cost in steps.values())
    return Measured(
        {START: start_cost, **steps}, Cost(seconds, cpu, peak), servers, said["told"]
    )


def _peak() -> int:
    """The most memory of this process since it was last forgotten, in bytes."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return _bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _bytes(maxrss: int) -> int:
    """What getrusage calls the peak: bytes on macOS, kilobytes elsewhere."""
    return maxrss if sys.platform == "darwin" else maxrss * 1024
