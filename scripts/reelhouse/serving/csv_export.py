"""CSV for people: text that a spreadsheet would run as a formula is made harmless."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

# The start of a cell that Excel, LibreOffice or Google Sheets may run, as a pattern for
# Python and DuckDB: a sign, or the full-width one of East Asian keyboards, after any
# invisible characters; or a tab or line end, which some of them drop.
UNSEEN = (
    "\x01-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
)
FORMULA = f"^(?:[{UNSEEN}]*[=+@＝＋－＠-]|[\t\r\n])"


def neutralised(value: object) -> object:
    """Return a value whose text no spreadsheet runs; numbers, dates and nulls stay.

    A leading apostrophe marks the rest as text.
    """
    if isinstance(value, str) and re.match(FORMULA, value):
        return "'" + value
    return value


def to_csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """The bytes of a CSV file with a header: UTF-8 with the mark that Excel needs.

    Nulls are empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([neutralised(name) for name in names])
    writer.writerows([neutralised(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")
