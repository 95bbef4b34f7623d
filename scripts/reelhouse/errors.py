"""Errors that a person can act on."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

FULL = (
    "The disk of {warehouse} is full: make room on it, or set REELHOUSE_WAREHOUSE to a "
    "folder on another one; or it is that of {temporary}, which TMPDIR names"
)
MEMORY = (
    "There is not enough memory for this: let Reelhouse have more (the machine's, or "
    "what REELHOUSE_MEMORY_LIMIT allows), or deliver less at a time"
)
# How errors of this machine are known, and what is said of them.
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
    os.strerror(errno.ENOMEM): MEMORY,
}


class ReelhouseError(Exception):
    """Something went wrong that the user can correct.

    The message is one sentence that names the file, table or setting and says
    what to do. It never holds a secret. The command line prints it to stderr
    and exits with status 1.
    """


def local_fault(message: str, warehouse: Path) -> ReelhouseError | None:
    """What an error of whatever library says where this machine is its cause.

    None where it is not.
    """
    for cause, what in LOCAL_FAULTS.items():
        if cause in message:
            return ReelhouseError(
                f"{what.format(warehouse=warehouse, temporary=tempfile.gettempdir())}; "
                f"what was there before is untouched."
            )
    return None
