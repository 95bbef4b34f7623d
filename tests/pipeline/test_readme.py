"""Every README command works without a network, and none tries to reach an address."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.delivery import PUBLISHED
from tests.project import PROJECT

from reelhouse.cli import main

# Brings loopback up in a new network namespace with Python alone (SIOCSIFFLAGS: up,
# running), then replaces itself with the command.
LOOPBACK = """
import fcntl, os, socket, struct, sys
request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, request)
os.execv(sys.argv[1], sys.argv[1:])
"""

# Every Python process imports this at its start, child processes too. It records each
# name that is looked up and each address that is called, except this machine's own.
WATCH = """
import os, sys
LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
def watch(event, arguments):
    if event in LOOKUPS:
        address = arguments[0]
    elif event in ("socket.connect", "socket.sendto"):
        # The address of a socket in the file system is no tuple.
        address = arguments[1][0] if isinstance(arguments[1], tuple) else None
    else:
        return
    if isinstance(address, bytes):
        address = address.decode()
    if address not in (None, "", "127.0.0.1", "::1", "localhost"):
        with open(os.environ["CALLS_TO_NETWORK"], "a") as file:
            print(event, address, file=file)
sys.addaudithook(watch)
"""

ASK = """
import socket
try:
    socket.create_connection(('192.0.2.1', 80), timeout=5)
except OSError as error:
    print(error)
"""


# The expected output of a README command, where its status is not enough.
ANSWERS = {
    "make run": ["tables published", "The best movies", "report.html"],
    "reelhouse query 'select title": ["bayesian_rating", "5 rows"],
    "reelhouse query 'select * from mart_genre": ["Film-Noir", "20 rows"],
    "reelhouse query --format csv": ["fct_ratings", "mart_genre_ratings"],
    "reelhouse generate": ["dirty-manifest.json"],
    "reelhouse load --validate": ["would be rejected", "Some records are bad."],
    "reelhouse run": ["its files are now in", "The best movies", "report.html"],
    "reelhouse bucket": ["Nothing was loaded: this was a trial."],
    "reelhouse emulator": [
        "tables published",
        f"All {len(PUBLISHED)} tables are equal.",
    ],
    "dbt build": ["ERROR=0"],
}


def _offline(
    command: str, folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a shell command with loopback as the only network, and with a clean home."""
    (folder / "home").mkdir(exist_ok=True)
    (folder / "watch").mkdir(exist_ok=True)
    (folder / "watch/sitecustomize.py").write_text(WATCH)
    return subprocess.run(
        [
            *("unshare", "--map-root-user", "--net"),
            *(sys.executable, "-c", LOOPBACK, "/bin/sh", "-c", command),
        ],
        cwd=PROJECT,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "PYTHONPATH": str(folder / "watch"),
            "CALLS_TO_NETWORK": str(folder / "calls"),
        }
        | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _calls(folder: Path) -> str:
    calls = folder / "calls"
    return calls.read_text() if calls.exists() else ""


@pytest.fixture
def cut_off(tmp_path: Path) -> Path:
    """A folder for commands without a network; skips the test if that is impossible."""
    try:
        asked = _offline(f'python -c "{ASK}"', tmp_path)
        reason = "" if asked.returncode == 0 else asked.stderr.strip()
    except FileNotFoundError:
        reason = "there is no command unshare"
    if reason and "CI" not in os.environ:
        pytest.skip(f"network namespaces are not to be had here: {reason}")
    assert not reason, f"CI must be able to cut the network off: {reason}"
    assert "Network is unreachable" in asked.stdout
    assert "socket.connect 192.0.2.1\n" in _calls(tmp_path)
    (tmp_path / "calls").unlink()
    return tmp_path


def commands() -> list[str]:
    """Return the lines of the README's shell blocks."""
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", readme, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


# It runs the whole sample in the emulator; `make test-full` runs it elsewhere.
SLOW = "reelhouse emulator"


@pytest.mark.parametrize(
    "left_out",
    [
        pytest.param(SLOW, marks=pytest.mark.long),
        pytest.param(None, marks=pytest.mark.nightly),
    ],
)
def test_every_command_of_the_readme_works_without_a_network(
    cut_off: Path, left_out: str | None
) -> None:
    found = commands()
    # The folder is already on PATH.
    found.remove(". .venv/bin/activate")
    for start in ANSWERS:
        assert any(command.startswith(start) for command in found), start
    for command in found:
        if left_out and command.startswith(left_out):
            continue
        ran = _offline(
            command.replace("/tmp/movies", str(cut_off / "movies")),
            cut_off,
            REELHOUSE_WAREHOUSE=str(cut_off / "warehouse"),
            COLUMNS="200",
        )
        said = ran.stdout + ran.stderr
        assert ran.returncode == 0, f"{command}\n{said}"
        (answer,) = [a for start, a in ANSWERS.items() if command.startswith(start)]
        for words in answer:
            assert words in said, f"{command}\n{said}"
    assert _calls(cut_off) == ""


def test_the_readme_lists_every_command_and_no_other() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`reelhouse .*?) \|", readme, flags=re.MULTILINE)
    listed = re.findall(r"`reelhouse (\w+)`", " ".join(rows))
    assert listed == [*main.commands, "bench"]
    assert len(readme.splitlines()) <= 150
