"""Folders that a command writes completely or not at all, over its own files only."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reelhouse.errors import ReelhouseError, naming

# For Linux: paths are relative to the current folder; two paths are exchanged.
AT_FDCWD, RENAME_EXCHANGE = -100, 2


@contextmanager
def written_whole(folder: Path, contents: str) -> Iterator[Path]:
    """Yield a folder to fill, which replaces `folder` if the block succeeds.

    It must get the file `contents`: a JSON object whose `files` list every other file,
    each as an object with `file` and `sha256`. These say what the next call may
    replace, so that a changed file is not lost. Raises ReelhouseError if `folder` holds
    anything else, and leaves it alone.
    """
    folder = folder.resolve()
    is_mount = folder.is_mount()
    if is_mount or Path.cwd().is_relative_to(folder):
        what = "a mount point" if is_mount else "the current folder or one above it"
        raise ReelhouseError(
            f"{folder} is {what}, which cannot be replaced: name a folder in it."
        )
    former_contents(folder, contents)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as work:
        made = Path(work) / "made"
        made.mkdir()
        with naming(folder):
            yield made
        # Check again, because files may have come in the meantime.
        former_contents(folder, contents)
        if folder.exists():
            _exchange(made, folder)
        else:
            made.rename(folder)


def _exchange(made: Path, folder: Path) -> None:
    """Exchange two folders, in one step if the system supports it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        paths = (AT_FDCWD, os.fsencode(made), AT_FDCWD, os.fsencode(folder))
        if libc.renameat2(*paths, RENAME_EXCHANGE) == 0:
            return
        if ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), folder)
    former = made.with_name("former")
    folder.rename(former)
    try:
        made.rename(folder)
    except BaseException:
        former.rename(folder)
        raise


def former_contents(folder: Path, contents: str) -> dict[str, Any]:
    """What an earlier call wrote into `contents`; empty if nothing is there.

    Raises ReelhouseError if the folder holds anything but the files of that call.
    """
    if not folder.exists():
        return {}
    if not folder.is_dir():
        raise ReelhouseError(f"{folder} is a file: name a folder to write to.")
    listed: dict[str, str | None] = {contents: None}
    found: dict[str, Any] = {}
    try:
        found = json.loads((folder / contents).read_text(encoding="utf-8"))
        listed |= {each["file"]: each.get("sha256") for each in found["files"]}
    except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError):
        found = {}
    # A few are enough: the folder may be the whole disk.
    foreign = list(
        islice(
            (
                name
                for path in folder.rglob("*")
                if not path.is_dir() or path.is_symlink()
                if (name := path.relative_to(folder).as_posix()) not in listed
                or not found
                or (listed[name] and listed[name] != sha256(path))
            ),
            4,
        )
    )
    if foreign:
        more = ", …" if len(foreign) > 3 else ""
        raise ReelhouseError(
            f"{folder} contains files that this command did not write, or that were "
            f"changed since ({', '.join(foreign[:3])}{more}): name another folder, or "
            f"move them away."
        )
    return found


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
