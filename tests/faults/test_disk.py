"""A full disk: a small one, which only the tests can see."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.faults.conftest import FILES, Desk, Desks, read_whole

pytestmark = pytest.mark.fault("2")

MIB = 1 << 20
DISK_BYTES = 128 * MIB
# Keeps its own mount namespace with a small disk until its stdin closes.
HOLD = "mount -t tmpfs -o size={size} tmpfs '{place}' && echo there && read end"
MESSAGE = r"^reelhouse: The disk of /.*/warehouse or of /.* is full: make room, or set "


@dataclass
class Disk:
    """A small disk with a warehouse; it disappears with the process that holds it."""

    desk: Desk
    folder: Path

    def published(self) -> Path:
        """Copy the published file, name unchanged, to where DuckDB can open it."""
        return Path(shutil.copy(self.desk.published, self.folder))

    @property
    def root(self) -> Path:
        return self.desk.seen.parent

    def leave(self, room: int) -> None:
        """Fill the disk until only `room` bytes are free."""
        ballast = self.root / "ballast"
        ballast.unlink(missing_ok=True)
        with ballast.open("wb") as file:
            for size in self.pieces(shutil.disk_usage(self.root).free - room):
                file.write(bytes(size))

    @staticmethod
    def pieces(size: int) -> Iterator[int]:
        yield from [MIB] * (size // MIB)
        yield size % MIB


@pytest.fixture
def disk(desks: Desks, tmp_path: Path) -> Iterator[Disk]:
    place = tmp_path / "disk"
    place.mkdir()
    command = HOLD.format(size=DISK_BYTES, place=place)
    with subprocess.Popen(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stderr
        if holder.stdout.readline() != "there\n":
            why = " ".join(holder.stderr.read().split())
            pytest.skip(f"this machine allows no disk of our own ({why})")
        first = desks.first
        desk = Desk(first.s3, first.bucket, place / "warehouse", disk=holder.pid)
        # DuckDB opens no file through /proc/PID/root of another mount namespace.
        shutil.copytree(first.copy(tmp_path / "copied").warehouse, desk.seen)
        yield Disk(desk, tmp_path)
        holder.stdin.close()


def fail(disk: Disk, *command: str) -> str:
    """Run a command that must fail on the full disk; return its last step."""
    before = disk.desk.prints()
    run = disk.desk.start(*command)
    assert run.wait() == 1, run.said
    disk.desk.check_message(run, MESSAGE)
    assert disk.desk.prints() == before
    read_whole(disk.published())
    return run.step()


@pytest.mark.nightly
def test_a_full_disk_stops_a_load_and_a_run(disk: Disk) -> None:
    disk.leave(0)
    assert fail(disk, "load") == "load"
    assert fail(disk, "run") == "start"


@pytest.mark.nightly
def test_a_run_works_again_when_there_is_room(disk: Disk, desks: Desks) -> None:
    """Vary the free space, from the first copy up to all but the last table."""
    database, published = (len(content) for content in disk.desk.prints())
    rooms = [
        database // 2,
        database + MIB,
        database + 2 * MIB,
        database + 3 * MIB,
        database + published - MIB,
        database + 2 * published,
    ]
    steps = []
    for room in rooms:
        disk.leave(room)
        steps.append(fail(disk))
    assert {"start", "build", "publish"} <= set(steps)
    (disk.root / "ballast").unlink()
    disk.desk.run()
    desks.check(disk.published())
    assert disk.desk.names() == FILES
