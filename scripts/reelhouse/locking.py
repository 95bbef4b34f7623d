"""The lock on a warehouse folder (one writer at a time), and work folders in it."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reelhouse.errors import ReelhouseError, local_fault

# The file that marks a folder as Reelhouse's own; files of earlier versions without it.
MARK = ".reelhouse"
LEFT = ("reelhouse.duckdb", "published.duckdb")
FILES = (*LEFT, "published.sha256")
FOLDERS = ("backup", "dbt", "failed", "scratch", "work")


@contextmanager
def writing(warehouse: Path) -> Iterator[None]:
    """Hold the folder's lock; ReelhouseError names the holder if it is taken.

    The lock belongs to the process, so it is released however the process ends. An
    error of this machine, such as a full disk, becomes a ReelhouseError.
    """
    warehouse.mkdir(parents=True, exist_ok=True)
    _check_kinds(warehouse)
    file = (warehouse / ".lock").open("a+b", buffering=0)
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().decode().strip() or "another process"
            raise ReelhouseError(
                f"{warehouse} is in use by {holder}: wait for it to end, or end it."
            ) from None
        try:
            file.seek(0)
            file.truncate()
            command = " ".join(["reelhouse", *sys.argv[1:2]])
            file.write(f"process {os.getpid()} ({command})".encode())
            yield
        except Exception as error:
            told = local_fault(f"{type(error).__name__} {error}", warehouse)
            if told:
                raise told from error
            raise


def _check_kinds(warehouse: Path) -> None:
    """Raise ReelhouseError if a folder stands where a file belongs, or the reverse."""
    for name in (*FILES, *FOLDERS):
        path, is_folder = warehouse / name, name in FOLDERS
        if is_folder:
            is_right = path.is_dir() or not os.path.lexists(path)
        else:  # or a link to a file that does not exist yet
            is_right = (
                not path.is_dir() and Path(os.path.realpath(path)).parent.is_dir()
            )
        if not is_right:
            raise ReelhouseError(
                f"{path} must be a {'folder' if is_folder else 'file'}: move it away, "
                f"or set REELHOUSE_WAREHOUSE to another folder."
            )


def fresh_folder(folder: Path) -> Path:
    """Make an empty folder, replacing the one that an earlier run left.

    Raises FileExistsError if the folder there is not Reelhouse's own.
    """
    remove_folder(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a folder that `fresh_folder` made, as far as possible.

    Any other folder is left alone.
    """
    with suppress(OSError):
        held = {path.name for path in folder.iterdir()}
        if folder.is_symlink() or not (
            MARK in held or all(name.startswith(LEFT) for name in held)
        ):
            return
        # Remove the mark last: if killed before, the folder is still known as ours.
        for name in held - {MARK}:
            path = folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        shutil.rmtree(folder, ignore_errors=True)
