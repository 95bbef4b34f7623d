"""Runs as processes of their own, forked from one that has the project parsed.

Importing libraries and parsing the project take longer than most of what is tried
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
    """A run under way, or at its end."""

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
        """The step that it is in, or was in when it ended."""
        while self.pipe.poll():
            try:
                self.steps.append(self.pipe.recv())
            except EOFError:
                break
        return self.steps[-1]

    def reach(self, step: str, seconds: float = LIMIT_SECONDS) -> None:
        """Wait until it is in a step."""
        deadline = time.monotonic() + seconds
        while self.step() != step:
            assert self.process.is_alive(), f"it ended before {step}: {self.said}"
            assert time.monotonic() < deadline, f"it has not come to {step}"
            time.sleep(0.005)

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.pid, how)

    def wait(self, seconds: float = LIMIT_SECONDS) -> int:
        """Its exit status; that of a signal is negative."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"it has not ended: {self.said}"
        return self.process.exitcode


def start(
    arguments: list[str],
    variables: Mapping[str, str],
    said: Path,
    disk: int | None = None,
) -> Started:
    """Start a command of reelhouse; what it says goes to a file.

    `disk` is a process in whose mount namespace it runs.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_run, args=(arguments, dict(variables), said, sender, disk), daemon=True
    )
    # What the server that forks imports lies beside this folder.
    paths = {"PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'scripts'}", PARENT: "1"}
    # It would run again what is the main module: a script, after tests of an app.
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
    """In the fork: become a command of reelhouse."""
    # A run ends with the tests, however these end.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    # Tests that run in the background would hand down that Ctrl-C is ignored.
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
            # dbt tells of its nodes from several threads.
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
    """Share the mounts of another process, which has its own."""
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
    # What every fork shares is not looked through for garbage again and again.
    gc.freeze()


if os.environ.pop(PARENT, None) and "dbt.cli.main" not in sys.modules:
    _parse()
