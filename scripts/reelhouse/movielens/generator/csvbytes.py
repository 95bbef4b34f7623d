"""A record of a CSV file as RFC 4180 wants it: quoted only where it must be."""

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
