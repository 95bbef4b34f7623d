"""The whole way without a network: nothing needs one, and nothing asks for one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

PROJECT = Path(__file__).resolve().parents[2]

# Brings loopback up in a fresh network namespace (SIOCSIFFLAGS: up, running), which
# needs no tool beyond Python, and becomes the command.
LOOPBACK = """
import fcntl, os, socket, struct, sys
request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8914, request)
os.execv(sys.argv[1], sys.argv[1:])
"""

# Read by every Python that starts, child processes too: writes down each name that is
# looked up and each address that is called, other than this machine's own.
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
    socket.create_connection(("192.0.2.1", 80), timeout=5)
except OSError as error:
    print(error)
"""


def _offline(
    *arguments: str, folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a Python command where only loopback exists, with a clean home."""
    (folder / "home").mkdir(exist_ok=True)
    (folder / "watch").mkdir(exist_ok=True)
    (folder / "watch/sitecustomize.py").write_text(WATCH)
    return subprocess.run(
        [
            *("unshare", "--map-root-user", "--net"),
            *(sys.executable, "-c", LOOPBACK, sys.executable, *arguments),
        ],
        cwd=PROJECT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "PYTHONPATH": f"{folder / 'watch'}:{PROJECT / 'scripts'}",
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
    """A folder for a run without a network, once it is sure that there is none."""
    try:
        asked = _offline("-c", ASK, folder=tmp_path)
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


def test_a_run_needs_no_network_and_asks_for_none(cut_off: Path) -> None:
    warehouse = cut_off / "warehouse"
    run = _offline(
        *("-m", "reelhouse", "run"), folder=cut_off, REELHOUSE_WAREHOUSE=str(warehouse)
    )
    assert run.returncode == 0, run.stdout + run.stderr
    with duckdb.connect(str(warehouse / "published.duckdb"), read_only=True) as base:
        answer = base.execute("select count(*) from serving.fct_ratings").fetchall()
    assert answer[0][0] > 0
    assert _calls(cut_off) == ""
