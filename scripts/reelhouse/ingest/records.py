"""Records of a CSV file: their form, the same for every engine.

A plain file is read by the engine as it is, and any other is rewritten, so that every
engine finds the same records in it. One record is one line. Line breaks inside quotes
are not part of the contract, so an open quote never swallows the lines after it. The
engine separates good records from bad ones (`rules.py`).
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from reelhouse.contract import Entity
from reelhouse.engines.warehouse import CUT, MAX_LINE_BYTES, MAX_TEXT_BYTES
from reelhouse.errors import ReelhouseError
from reelhouse.ingest.exactness import ExactLines

BOM = b"\xef\xbb\xbf"
# A piece of this size stays in the processor's cache while it is checked several times.
PIECE_BYTES = 1 << 17

# First bytes of files that are mistaken for CSV.
FORMS = {
    "compressed data": (
        b"\x1f\x8b",
        b"BZh",
        b"\xfd7zXZ\0",
        b"(\xb5/\xfd",
        b"PK\x03\x04",
    ),
    "text in UTF-16": (b"\xff\xfe", b"\xfe\xff"),
    "Parquet": (b"PAR1",),
    "a web page": (b"<!DOCTYPE", b"<!doctype", b"<html", b"<?xml"),
}

# 1980: no rating is older, but a current time that lost a digit is.
EARLIEST_WHOLE_EPOCH = 315_532_800
EPOCH_DIGITS = 18

# Control characters, which a record's text escapes, and quotes, which values lose.
ODD = re.compile(rb'[\x00-\x1f"\x7f]')
QUOTED = re.compile(rb'"[^"]*"')
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
NO_LINE_BREAK = "no line break after the last record, which may be cut"


class RefusedObject(ReelhouseError):
    """An object that is refused as a whole; the message says why."""


@dataclass
class Inspector:
    """Inspects an object's bytes as they arrive.

    `has_odd_bytes` says that there are quotes, or bytes other than printable ASCII and
    line ends; `exact` checks numbers.
    """

    exact: ExactLines
    size: int = 0
    line_breaks: int = 0
    commas: int = 0
    returns: int = 0
    pairs: int = 0
    has_odd_bytes: bool = False
    last: int = -1
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def update(self, chunk: bytes, /) -> None:
        self.digest.update(chunk)
        self.size += len(chunk)
        for start in range(0, len(chunk), PIECE_BYTES):
            self._look_at(chunk[start : start + PIECE_BYTES])

    def _look_at(self, chunk: bytes) -> None:
        data = np.frombuffer(chunk, np.uint8)
        is_break = data == ord("\n")
        self.line_breaks += int(np.count_nonzero(is_break))
        if not self.has_odd_bytes:
            is_return = data == ord("\r")
            ends = np.count_nonzero(is_break) + np.count_nonzero(is_return)
            # Bytes below a space wrap around, so that they compare as beyond '~'.
            others = np.count_nonzero((data - np.uint8(ord(" "))) > ord("~") - ord(" "))
            self.has_odd_bytes = b'"' in chunk or bool(others != ends)
            self.commas += int(np.count_nonzero(data == ord(",")))
            self.returns += int(np.count_nonzero(is_return))
            self.pairs += int(np.count_nonzero(is_return[:-1] & is_break[1:]))
            if self.last == ord("\r") and chunk[0] == ord("\n"):
                self.pairs += 1
            self.exact.update(chunk)
        self.last = chunk[-1]

    @property
    def sha256(self) -> str:
        return self.digest.hexdigest()

    @property
    def lines(self) -> int:
        return self.line_breaks + (self.last != ord("\n"))

    @property
    def records(self) -> int:
        """Lines after the header."""
        return self.lines - 1

    @property
    def is_exact(self) -> bool:
        return not self.has_odd_bytes and self.exact.is_exact

    def is_plain_table(self, columns: int) -> bool:
        """Whether every CSV reader finds the same records with this number of columns.

        All lines end alike, including the last. Provided that the reader finds as many
        records as there are lines: then no line has too few commas, so none can have
        too many.
        """
        return (
            not self.has_odd_bytes
            and self.lines == self.line_breaks
            and self.returns == self.pairs
            and self.pairs in (0, self.line_breaks)
            and self.commas == self.lines * (columns - 1)
        )


def unpack(path: Path, entity: Entity, packed: Inspector, name: str) -> Inspector:
    """Replace a gzip file by its content, and inspect that.

    Size and hash stay those of the compressed object, as in `packed`. Raises
    RefusedObject if it is damaged or cut off.
    """
    inspector = Inspector(ExactLines(entity))
    into = path.with_name("unpacked.csv")
    try:
        with gzip.open(path) as file, into.open("wb") as out:
            while chunk := file.read(1 << 20):
                inspector.update(chunk)
                out.write(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RefusedObject(
            f"{name} cannot be unpacked ({error}): deliver it again."
        ) from error
    into.replace(path)
    inspector.size, inspector.digest = packed.size, packed.digest
    return inspector


def check_header(path: Path, entity: Entity, name: str) -> None:
    """Raise RefusedObject unless the first line is exactly the contract's header."""
    with path.open("rb") as file:
        line = file.readline(MAX_LINE_BYTES)
    if not line:
        raise RefusedObject(f"{name} is empty (0 bytes): deliver it again.")
    form = next((form for form in FORMS if line.startswith(FORMS[form])), None)
    if form:
        raise RefusedObject(
            f"{name} contains {form}: deliver CSV in UTF-8, with a name that ends in "
            f".csv.gz if it is compressed with gzip."
        )
    line = line.removeprefix(BOM).removesuffix(b"\n").removesuffix(b"\r")
    found = line.decode("utf-8", "backslashreplace")
    if found == entity.header:
        return
    if found.startswith('"') and found.replace('"', "") == entity.header:
        problem = "has quotes in its header"
    elif found.lower() == entity.header.lower():
        problem = "has a header in a different letter case"
    elif sorted(found.split(",")) == sorted(entity.header.split(",")):
        problem = "has its columns in another order"
    elif "\r" in found:
        problem = "ends its lines with only a carriage return"
    elif _looks_like_a_record(found):
        problem = "has no header"
    else:
        problem = "has other columns"
    raise RefusedObject(
        f"{name} {problem} (expected '{entity.header}', found '{found[:200]}'): "
        f"deliver it with the expected first line, and values in that order."
    )


def rewrite(source: Path, to: Path, entity: Entity) -> None:
    """Write every record of a file to another, in a form that all engines read alike.

    There is no header. Every line is the record's number, the fault of its form, its
    text made printable, and its unchanged values, and ends in LF. Without a fault, the
    text is left out if it equals the values joined by commas. With a fault, the values
    are left out. Values are not checked, except in a last line without a line break: it
    is well-formed only if a cut would show.
    """
    columns = len(entity.file_columns)
    well_formed = _pattern(columns)
    no_values = b"," * (columns - 1)
    with source.open("rb") as lines, to.open("wb") as out:
        for number, line, has_break in _records(lines):
            fault = ""
            if len(line) > MAX_LINE_BYTES or not well_formed.fullmatch(line):
                fault = _diagnose(line, columns)
            elif not (line.isascii() or _is_utf8(line)):
                fault = "not UTF-8"
            elif not has_break and not _is_whole(line, source, entity):
                fault = NO_LINE_BREAK
            values = no_values if fault else line
            if fault or len(line) > MAX_TEXT_BYTES or ODD.search(line):
                text = _printable(line).replace('"', '""').encode()
                out.write(b'%d,"%b","%b",%b\n' % (number, fault.encode(), text, values))
            else:
                out.write(b"%d,,,%b\n" % (number, line))


def _records(lines: BinaryIO) -> Iterator[tuple[int, bytes, bool]]:
    """Yield each record's number, its bytes without line end, and whether it had one.

    The header is left out. A line over the limit is cut to its beginning, which is
    still over the limit and so recognised.
    """
    number = -1
    while line := lines.readline(MAX_LINE_BYTES + 2):
        number += 1
        has_break = line.endswith(b"\n")
        while not has_break and (rest := lines.readline(1 << 20)):
            has_break = rest.endswith(b"\n")
        if number:
            yield number, line.removesuffix(b"\n").removesuffix(b"\r"), has_break


def _pattern(columns: int) -> re.Pattern[bytes]:
    bare = rb'[^",\r\n\0]*'
    quoted = rb'"(?:[^"\r\n\0]|"")*"'
    value = rb"(?:%b|%b)" % (bare, quoted)
    return re.compile(rb",".join([value] * columns))


def _diagnose(line: bytes, columns: int) -> str:
    """Return why a line is not a record with this number of columns."""
    if len(line) > MAX_LINE_BYTES:
        return f"line longer than {MAX_LINE_BYTES} bytes"
    if not line.strip():
        return "blank line"
    if b"\0" in line:
        return "NUL byte"
    if b"\r" in line:
        return "carriage return inside the line"
    if line.count(b'"') % 2:
        return "unbalanced quote"
    found = QUOTED.sub(b"", line).count(b",") + 1
    if found == columns:
        return "stray quote"
    return "missing column" if found < columns else "extra column"


def _is_whole(line: bytes, source: Path, entity: Entity) -> bool:
    """Whether a last line without a line break is certainly not cut off.

    A cut time is at least ten times too small; a cut word of a list occurs nowhere
    else. Any other value could be cut without a trace, above all an empty one.
    """
    column = entity.file_columns[-1]
    value = _last_value(line)
    if column.is_epoch:
        is_time = value.isdigit() and len(value) <= EPOCH_DIGITS
        return is_time and int(value) >= EARLIEST_WHOLE_EPOCH
    if column.separator:
        separator = column.separator.encode()
        with source.open("rb") as lines:
            others = (_last_value(rest) for _, rest, ended in _records(lines) if ended)
            words = {word for other in others for word in other.split(separator)}
        return all(word and word in words for word in value.split(separator))
    return False


def _last_value(line: bytes) -> bytes:
    return line.rpartition(b",")[2].strip(b'"')


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _looks_like_a_record(line: str) -> bool:
    return line.partition(",")[0].isdigit()


def _printable(line: bytes) -> str:
    """A line as text, with `\\x` and two digits for other bytes; a long one is cut."""
    text = line[:MAX_TEXT_BYTES].decode("utf-8", "backslashreplace")
    text = CONTROL.sub(lambda char: f"\\x{ord(char[0]):02x}", text)
    if len(line) > MAX_TEXT_BYTES:
        text += CUT
    return text
