"""One writer at a time in a warehouse folder."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reelhouse.errors import ReelhouseError, local_fault


@contextmanager
def writing(warehouse: Path) -> Iterator[None]:
    """Hold the folder's lock; ReelhouseError names the holder where it is taken.

    The lock belongs to the process: however that ends, the lock is free again. An
    error that comes of a full disk becomes a ReelhouseError that says so.
    """
    try:
        warehouse.mkdir(parents=True, exist_ok=True)
        file = (warehouse / ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise ReelhouseError(
            f"{warehouse} cannot be written ({error.strerror}): check its permissions, "
            f"or set REELHOUSE_WAREHOUSE to another folder."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise ReelhouseError(
                f"{warehouse} is in use by {holder}: wait for it to end, or end it."
            ) from None
        try:
            file.seek(0)
            file.truncate()
            command = " ".join(["reelhouse", *sys.argv[1:2]])
            file.write(f"process {os.getpid()} ({command})")
            file.flush()
            yield
        except Exception as error:
            told = local_fault(f"{type(error).__name__} {error}", warehouse)
            if told:
                raise told from error
            raise
