"""Errors that a person can act on."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (
    "The disk of {warehouse} or of {temporary} (TMPDIR) is full: make room, or set "
    "REELHOUSE_WAREHOUSE or TMPDIR to a folder on another disk"
)
MEMORY = (
    "There is not enough memory for this: give Reelhouse more (on the machine, or by "
    "REELHOUSE_MEMORY_LIMIT), or deliver less at a time"
)
# Texts that identify errors caused by this machine, and the message for each.
LOCAL_FAULTS = {
    os.strerror(errno.ENOSPC): FULL,
    os.strerror(errno.EDQUOT): FULL,
    os.strerror(errno.EFBIG): "A file under {warehouse} would be larger than this "
    "machine or its disk allows: raise the limit (ulimit -f), or set "
    "REELHOUSE_WAREHOUSE to a folder on another disk",
    os.strerror(errno.EMFILE): "Too many files are open at once: raise the limit "
    "(ulimit -n)",
    "Out of Memory Error": MEMORY,
    "OutOfMemoryException": MEMORY,
    "MemoryError": MEMORY,
    "Symlink loop": "A link points back to itself: correct it, or name another place",
    os.strerror(errno.ENOMEM): MEMORY,
}
# Advice for errors of files, by errno.
ADVICE = (
    ((errno.EEXIST,), "move away what is there"),
    ((errno.ENOTDIR,), "move away the file that is in place of a folder"),
    ((errno.EISDIR,), "move away the folder that is in place of a file"),
    ((errno.ENOENT, errno.ELOOP), "check that its folder and its link's target exist"),
    ((errno.EACCES, errno.EPERM, errno.EROFS), "check its permissions"),
    ((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room on its disk"),
)


class ReelhouseError(Exception):
    """Something went wrong that the user can correct.

    The message is one sentence that names the file, table or setting and says
    what to do. It never holds a secret. The command line prints it to stderr
    and exits with status 1.
    """


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add this path to an error of a file that names no file."""
    try:
        yield
    except OSError as error:
        if error.errno:  # errors of requests and other libraries have none
            error.filename = error.filename or str(path)
        raise


def file_fault(error: OSError) -> str:
    """Return what an error of a file says, and what to do about it."""
    # If the error names two files, take the one that was to be written.
    where = error.filename2 or error.filename or "The output of this command"
    advice = [what for numbers, what in ADVICE if error.errno in numbers]
    told = f"{advice[0]}, or name another place" if advice else "--debug shows more"
    return f"{where} cannot be used ({error.strerror or error}): {told}."


def local_fault(message: str, warehouse: Path) -> ReelhouseError | None:
    """Return a ReelhouseError for any library's message if this machine is the cause.

    Returns None otherwise.
    """
    for cause, what in LOCAL_FAULTS.items():
        if cause in message:
            return ReelhouseError(
                f"{what.format(warehouse=warehouse, temporary=tempfile.gettempdir())}; "
                f"existing files and tables are unchanged."
            )
    return None
