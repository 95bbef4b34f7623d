"""Format records of a CSV file by RFC 4180, quoted only where needed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

NEWLINE = b"\r\n"


def line(fields: Iterable[object]) -> bytes:
    """One record with its line end."""
    text = io.StringIO(newline="")
    csv.writer(text).writerow(fields)
    return text.getvalue().encode("utf-8")
