"""Exactness: whether a file's numbers can be read by type without a change of value.

A CSV reader that is told types rounds 3.57 to 3.6 and takes 007 for 7. To read all as
text and to compare costs as much again as reading; to look at the bytes as they arrive
costs a tenth of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reelhouse.contract import Column, Entity

COMMA, DOT, ZERO, LINE_FEED, RETURN = b",.0\n\r"
# More than any line of numbers has; what is longer is not kept to be looked at.
LONGEST_LINE = 4_096

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.signedinteger[Any]]


class ExactLines:
    """Takes the bytes of a CSV file as they arrive; `is_exact` tells of all of them.

    Exact are lines whose fields are as many as the columns and plain decimal numbers,
    each in a form that its column's type holds: no sign, no exponent, no needless zero
    before a whole number, no more digits than there is room for. Other numbers may be
    right as well, but are to be read as text to find out. That lines end alike is not
    looked at; of a plain object it is known.
    """

    def __init__(self, entity: Entity) -> None:
        self._columns = entity.file_columns
        self._rest = b""
        self._is_in_header = True
        self._is_exact = all(column.digits for column in self._columns)

    @property
    def is_exact(self) -> bool:
        """Whether all bytes so far are a header and exact lines, each with its end."""
        return self._is_exact and not self._is_in_header and not self._rest

    def update(self, chunk: bytes, /) -> None:
        if not self._is_exact:
            return
        if self._is_in_header:
            _, line_feed, chunk = chunk.partition(b"\n")
            self._is_in_header = not line_feed
        lines = self._rest + chunk
        end = lines.rfind(b"\n") + 1
        self._rest = lines[end:]
        self._is_exact = len(self._rest) <= LONGEST_LINE
        if end and self._is_exact:
            data = np.frombuffer(lines, np.uint8, end)
            self._is_exact = _are_exact(data, self._columns)


def _are_exact(data: Bytes, columns: tuple[Column, ...]) -> bool:
    """Whether whole lines are exact."""
    ends: Places = np.flatnonzero((data == COMMA) | (data == LINE_FEED))
    if len(ends) % len(columns):
        return False
    ends = ends.reshape(-1, len(columns))
    starts = np.empty_like(ends)
    starts[:, 1:] = ends[:, :-1] + 1
    starts[0, 0], starts[1:, 0] = 0, ends[:-1, -1] + 1
    breaks = ends[:, -1]
    if not (data[breaks] == LINE_FEED).all() or (data[ends[:, :-1]] != COMMA).any():
        return False
    returns = 0
    if data[breaks[0] - 1] == RETURN:
        breaks -= 1
        returns = len(breaks)
        if not (data[breaks] == RETURN).all():
            return False
    dots = np.flatnonzero(data == DOT)
    # Bytes below '0' wrap round, so that digits are what is below ten.
    digits = np.count_nonzero((data - np.uint8(ZERO)) < 10)
    if digits + len(dots) + ends.size + returns != len(data) or (starts >= ends).any():
        return False
    dotted = 0
    for number, column in enumerate(columns):
        here, to = starts[:, number], ends[:, number]
        before, after = column.digits or (0, 0)
        if after:
            # Each has its dot, or this is a file to be read as text.
            if len(dots) != len(here):
                return False
            whole, part = dots - here, to - dots - 1
            dotted += 1
            if not (
                whole.min() >= 1
                and whole.max() <= before
                and part.min() >= 1
                and part.max() <= after
            ):
                return False
        else:
            length = to - here
            if length.max() > before or ((data[here] == ZERO) & (length > 1)).any():
                return False
    return len(dots) == dotted * len(breaks)
