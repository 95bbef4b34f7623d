"""Commands in their own processes, forked from one that has parsed the project.

Importing libraries and parsing the project take longer than most of what is tested
here. The fork is a process like any other: it can be killed, stopped and waited for.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from unittest.mock import patch

from tests.project import PROJECT

from reelhouse.cli import main, show
from reelhouse.settings import environment, read_settings
from reelhouse.transform import build

LIMIT_SECONDS = 300.0
PARENT = "REELHOUSE_TEST_PARSED"
# From linux/prctl.h.
PR_SET_PDEATHSIG = 1


@dataclass
class Started:
    """A command in its own process, running or ended."""

    process: ForkServerProcess
    said_in: Path
    pipe: Connection
    steps: list[str] = field(default_factory=lambda: ["fork"])

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    @property
    def said(self) -> str:
        return self.said_in.read_text(encoding="utf-8")

    def step(self) -> str:
        """Return the current step, or the last one of an ended process."""
        while self.pipe.poll():
            try:
                self.steps.append(self.pipe.recv())
            except EOFError:
                break
        return self.steps[-1]

    def reach(self, step: str, seconds: float = LIMIT_SECONDS) -> None:
        """Wait until the command reaches a step; fail if it ends or takes too long."""
        deadline = time.monotonic() + seconds
        while self.step() != step:
            assert self.process.is_alive(), f"it ended before {step}: {self.said}"
            assert time.monotonic() < deadline, f"it has not come to {step}"
            time.sleep(0.005)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.pid, how)

    def wait(self, seconds: float = LIMIT_SECONDS) -> int:
        """Wait for the end and return the exit status, negative for a signal."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"it has not ended: {self.said}"
        return self.process.exitcode


def start(
    arguments: list[str],
    variables: Mapping[str, str],
    said: Path,
    disk: int | None = None,
) -> Started:
    """Start a command of reelhouse, with its output in the file `said`.

    `disk` is a process whose mount namespace the command joins.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_run, args=(arguments, dict(variables), said, sender, disk), daemon=True
    )
    # The fork server must find the tests and scripts folders on its path.
    paths = {"PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'scripts'}", PARENT: "1"}
    # It would rerun the main module, which is a script after tests of an app.
    nothing = patch.dict(sys.modules, {"__main__": ModuleType("__main__")})
    with environment(paths), nothing:
        process.start()
    sender.close()
    return Started(process, said, receiver)


def _run(
    arguments: list[str],
    variables: dict[str, str],
    said: Path,
    pipe: Connection,
    disk: int | None,
) -> None:
    """Run a command of reelhouse in the forked process."""
    # Kill the command if the tests end, in any way.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    # Background tests ignore Ctrl-C, and a fork would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(variables)
    time.tzset()
    file = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    if disk:
        _enter(disk)

    @contextmanager
    def steps() -> Iterator[Callable[[str, int, int], None]]:
        last = ""
        lock = threading.Lock()

        def tell(name: str, _done: int, _total: int) -> None:
            nonlocal last
            step = name.split()[0]
            # dbt reports its nodes from several threads.
            with lock:
                if step != last:
                    pipe.send(step)
                last = step

        yield tell

    vars(show)["steps"] = steps
    sys.argv = ["reelhouse", *arguments]
    pipe.send("start")
    main(arguments)


def _enter(process: int) -> None:
    """Join the user and mount namespaces of another process."""
    library = ctypes.CDLL(None, use_errno=True)
    for kind in ("user", "mnt"):
        theirs = Path(f"/proc/{process}/ns/{kind}")
        if theirs.readlink() == Path(f"/proc/self/ns/{kind}").readlink():
            continue
        handle = os.open(theirs, os.O_RDONLY)
        if library.setns(handle, 0):
            raise OSError(ctypes.get_errno(), f"setns {kind}")
        os.close(handle)


def _parse() -> None:
    with TemporaryDirectory() as folder, environment({"REELHOUSE_WAREHOUSE": folder}):
        build.parsed(read_settings(target="dev"))
    # The garbage collector must not scan what every fork shares.
    gc.freeze()


if os.environ.pop(PARENT, None) and "dbt.cli.main" not in sys.modules:
    _parse()
