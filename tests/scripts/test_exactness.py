"""Exactness: which files may be read by type, whatever the size of their chunks."""

from __future__ import annotations

import pytest

from reelhouse.contract import Column, Entity
from reelhouse.ingest.exactness import LONGEST_LINE, ExactLines


def entity(*types: str) -> Entity:
    """Return an entity with a column of each type, with the headers a, b, c …"""
    columns = (Column(f"{h}_", kind, h) for h, kind in zip("abcd", types, strict=False))
    return Entity("numbers", tuple(columns))


MONEY = entity("bigint", "bigint", "decimal(2,1)", "bigint")
SHARES = entity("bigint", "bigint", "double")


def is_exact(of: Entity, content: bytes, size: int = 1 << 20) -> bool:
    """Whether a file is exact that arrives in chunks of `size` bytes."""
    lines = ExactLines(of)
    for start in range(0, len(content), size):
        lines.update(content[start : start + size])
    return lines.is_exact


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("of", "lines"),
    [
        (MONEY, ["1,20,4.0,964982703", "0,123456789012345678,0.5,0"]),
        (MONEY, []),
        (SHARES, ["1,1,0.00800000000000001", "1,2,12.5"]),
    ],
    ids=["decimals", "a header alone", "doubles"],
)
def test_plain_numbers_are_exact(
    of: Entity, lines: list[str], size: int, end: str
) -> None:
    content = "".join(line + end for line in [of.header, *lines]).encode()
    assert is_exact(of, content, size)


@pytest.mark.parametrize("size", [7, 1 << 20])
@pytest.mark.parametrize(
    "lines",
    [
        ["1,2,3.57,4"],  # would be rounded
        ["1,2,4,5"],  # may be right, but must be checked
        ["1,2,10.5,4"],
        ["1,2,.5,4"],
        ["1,2,5.,4"],
        ["1,30.6,4,5"],  # the dot is in a whole number
        ["1,2,3.0.0,4", "1,3,4,5"],  # as many dots as lines
        ["1,2,3.0,4.0", "1,3,4,5"],
        ["007,2,3.0,4"],
        ["1,2,3.0,04"],
        ["1,-2,3.0,4"],
        ["1,2,3.0,1e3"],
        ["1,1234567890123456789,3.0,4"],
        ["1, 2,3.0,4"],
        ["1,,3.0,4"],
        ["1,2,3.0,"],
        ["", "1,2,3.0,4"],
        ["1,2,3.0"],
        ["1,2,3.0,4,5"],
        ["1,2,3.0,4,5", "1,2,3.0"],  # as many commas as two lines have
        ['"1",2,3.0,4'],
        ["1,2,3.\r0,4"],
    ],
)
def test_other_texts_are_not(lines: list[str], size: int) -> None:
    good = ["1,20,4.0,964982703"]
    for content in (lines, [*good, *lines], [*lines, *good]):
        file = "".join(f"{line}\n" for line in [MONEY.header, *content]).encode()
        assert not is_exact(MONEY, file, size)


def test_texts_are_read_as_they_are() -> None:
    texts = entity("bigint", "varchar")
    assert not is_exact(texts, b"a,b\n1,2\n")


@pytest.mark.parametrize("tail", [b"", b"1,2,3.0,4", b"1" * (LONGEST_LINE + 1) + b"\n"])
def test_a_file_that_does_not_end_is_not_exact(tail: bytes) -> None:
    header = b"" if not tail else MONEY.header.encode() + b"\n"
    assert not is_exact(MONEY, header + tail, LONGEST_LINE + 1)


def test_no_more_is_kept_of_a_line_than_it_may_have() -> None:
    lines = ExactLines(MONEY)
    lines.update(MONEY.header.encode() + b"\n")
    for _ in range(3):
        lines.update(b"1" * LONGEST_LINE)
    assert len(lines._rest) <= 2 * LONGEST_LINE
