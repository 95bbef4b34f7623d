"""CSV for people: text that a spreadsheet would take for a formula is made plain."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

# What a cell may begin with to be run by Excel, LibreOffice or Google Sheets.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def neutralised(value: object) -> object:
    """A value whose text no spreadsheet runs; numbers, dates and nulls stay.

    A leading apostrophe says that the rest is text.
    """
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value


def to_csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """The bytes of a CSV file with a header: UTF-8 with a mark that Excel needs.

    Nulls are empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([neutralised(name) for name in names])
    writer.writerows([neutralised(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")
