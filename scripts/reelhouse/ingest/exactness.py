"""Exactness: whether a file's numbers can be read with types without changing a value.

A CSV reader with types rounds 3.57 to 3.6 and reads 007 as 7. Reading everything as
text and comparing costs as much again as reading; checking the bytes as they arrive
costs a tenth of that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from reelhouse.contract import Column, Entity

COMMA, DOT, ZERO, LINE_FEED, RETURN = b",.0\n\r"
# Longer than any line of numbers, in bytes; longer lines are not kept for checking.
LONGEST_LINE = 4_096

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.signedinteger[Any]]


class ExactLines:
    """Checks the bytes of a CSV file as they arrive; `is_exact` covers all of them.

    A line is exact if it has as many fields as there are columns, and each is a plain
    decimal number that the column's type can hold: no sign, no exponent, no leading
    zero in a whole number, no more digits than fit. Other numbers may be right as well,
    but only reading them as text can tell. Whether all lines end alike is not checked;
    for a plain object it is known.
    """

    def __init__(self, entity: Entity) -> None:
        self._columns = entity.file_columns
        self._rest = b""
        self._is_in_header = True
        self._is_exact = all(column.digits for column in self._columns)

    @property
    def is_exact(self) -> bool:
        """Whether all bytes so far are a header and exact lines, all complete."""
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
    """Whether complete lines are exact."""
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
    # Bytes below '0' wrap around, so only digits are below ten.
    digits = np.count_nonzero((data - np.uint8(ZERO)) < 10)
    if digits + len(dots) + ends.size + returns != len(data) or (starts >= ends).any():
        return False
    dotted = 0
    for number, column in enumerate(columns):
        here, to = starts[:, number], ends[:, number]
        before, after = column.digits or (0, 0)
        if after:
            # If a value has no dot, the file has to be read as text.
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
