"""Known faults, planted into clean files, and the manifest that lists each of them.

Every planted record has an expectation:

- `rejected`: breaks the file contract; a loader keeps it aside and loads the rest;
- `kept`: loaded, and published if nothing else is said;
- `superseded`: loaded, and loses against `other_record` of the same key;
- `dropped`: loaded, and left out downstream (a blank tag);
- `orphan`: loaded, but its movie is in no movies file and it cannot stand alone.

A record is a line after the header, so a line break within quotes makes two records
that are both broken.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reelhouse.movielens.generator.chance import stream_key
from reelhouse.movielens.generator.csvbytes import NEWLINE, line
from reelhouse.movielens.generator.titles import Dice

# Faults lie within this many records, so that a big file is copied, not parsed.
_HEAD = 2_000
_FAR_FUTURE = 4_102_444_800  # 2100-01-01
_UNKNOWN_MOVIE = 9_000_001
_DAY = 86_400

DIRTY_SUFFIX = ".dirty"

_HOSTILE = (
    ("sql", "'; drop table fct_ratings; --"),
    ("sql", 'Robert"); delete from movies where (1=1'),
    ("jinja", "{{ config(materialized='table') }}"),
    ("jinja", "{% raw %}{# no end"),
    ("html", "<script>alert('reel')</script>"),
    ("html", '"><img src=x onerror=alert(1)>'),
    ("formula", '=HYPERLINK("http://example.com","click")'),
    ("formula", "+1+1"),
    ("formula", "-2+3"),
    ("formula", "@SUM(A1:A2)"),
    ("null_like", "NULL"),
    ("null_like", "\\N"),
    ("format_like", "100%s %(name)s {0}"),
    ("tab", "left\tright"),
)


@dataclass(eq=False)
class _Record:
    """One physical line, changed in place while faults are planted."""

    data: bytes
    end: bytes = NEWLINE
    kind: str = ""
    expected: str = "kept"
    other: _Record | None = field(default=None, repr=False)

    def fields(self) -> list[str]:
        """The fields of a clean record without quotes."""
        return self.data.decode("utf-8").split(",")


@dataclass(frozen=True)
class Plan:
    """What was planted.

    Attributes:
        records: lines after the header, by file name, faults included.
        planted: entries in the manifest.
    """

    records: dict[str, int]
    planted: int


class _File:
    """The head of one file, to plant faults in."""

    def __init__(self, name: str, path: Path, key: int, head: int) -> None:
        self.name, self._path, self._dice = name, path, Dice(key, 0)
        self.records: list[_Record] = []
        with path.open("rb") as source:
            self._header = source.readline()
            while len(self.records) < head and (raw := source.readline()):
                self.records.append(_Record(raw.removesuffix(NEWLINE)))
            self._rest = source.tell()
            self._rest_records = sum(
                chunk.count(b"\n") for chunk in iter(lambda: source.read(1 << 20), b"")
            )
        self._clean = list(self.records)

    def take(self) -> _Record:
        """A clean record without quotes that no fault has used yet."""
        while True:
            record = self._clean.pop(self._dice.below(len(self._clean)))
            if b'"' not in record.data and not record.kind:
                return record

    def take_all(self) -> list[_Record]:
        """The clean records that are left, in order."""
        return [record for record in self._clean if not record.kind]

    def plant(
        self,
        kind: str,
        *data: str | bytes,
        expected: str = "rejected",
        after: _Record | None = None,
    ) -> _Record:
        """Puts the lines in at a random place (behind a record), one after another."""
        first = self.records.index(after) + 1 if after else 0
        at = first + self._dice.below(len(self.records) + 1 - first)
        while 0 < at < len(self.records) and self._torn(at):
            at += 1
        new = [
            _Record(
                each if isinstance(each, bytes) else each.encode("utf-8"),
                kind=kind,
                expected=expected,
            )
            for each in data
        ]
        self.records[at:at] = new
        return new[0]

    def _torn(self, at: int) -> bool:
        """Whether a place is between the two lines of one fault."""
        kind = self.records[at].kind
        return kind == "line_break_in_quotes" == self.records[at - 1].kind

    def mark(self, record: _Record, kind: str, winner: _Record) -> None:
        """Says that an original loses against a planted record."""
        record.kind, record.expected, record.other = kind, "superseded", winner
        winner.other = record

    def line_feeds(self) -> None:
        """Takes the carriage return from three records."""
        for _ in range(3):
            record = self.take()
            record.end, record.kind = b"\n", "lf_line_end"

    def write(self) -> int:
        """Replaces the file; returns its records."""
        aside = self._path.with_name(self._path.name + DIRTY_SUFFIX)
        try:
            with aside.open("wb") as target, self._path.open("rb") as source:
                target.write(self._header)
                for record in self.records:
                    target.write(record.data + record.end)
                source.seek(self._rest)
                shutil.copyfileobj(source, target, 1 << 20)
            aside.replace(self._path)
        finally:
            aside.unlink(missing_ok=True)
        return len(self.records) + self._rest_records

    def manifest(self, records: int) -> dict[str, Any]:
        """This file's part of the manifest."""
        numbers = {id(record): i for i, record in enumerate(self.records, start=1)}
        planted = []
        for number, record in enumerate(self.records, start=1):
            if not record.kind:
                continue
            entry: dict[str, Any] = {
                "kind": record.kind,
                "record_number": number,
                "text": record.data.decode("utf-8", errors="backslashreplace"),
                "expected": record.expected,
            }
            try:
                record.data.decode("utf-8")
            except UnicodeDecodeError:
                entry["bytes_hex"] = record.data.hex()
            if record.other:
                entry["other_record"] = numbers[id(record.other)]
            planted.append(entry)
        rejected = sum(entry["expected"] == "rejected" for entry in planted)
        return {"records": records, "expected_rejected": rejected, "planted": planted}


def _join(fields: Iterable[str]) -> bytes:
    return line(fields).removesuffix(NEWLINE)


def _plant_common(file: _File, integers: tuple[int, ...]) -> None:
    """Faults that every file can have; integers are its columns of whole numbers."""

    def changed(column: int, value: str) -> str:
        fields = file.take().fields()
        fields[column] = value
        return ",".join(fields)

    last = len(file.take().fields()) - 1
    for column in integers:
        file.plant("wrong_type", changed(column, "abc"))
        file.plant("fraction_in_integer", changed(column, "30.6"))
        file.plant("exponent_in_integer", changed(column, "1e3"))
        file.plant("integer_overflow", changed(column, "99999999999999999999"))
        file.plant("empty_key", changed(column, ""))
    file.plant("missing_column", ",".join(file.take().fields()[:-1]))
    file.plant("extra_column", ",".join([*file.take().fields(), "1"]))
    fields = file.take().fields()
    file.plant("unbalanced_quote", ",".join([*fields[:-1], '"' + fields[-1]]))
    fields = file.take().fields()
    broken = ",".join([*fields[:-1], f'"{fields[-1]}'])
    file.plant("line_break_in_quotes", broken, '"')
    file.plant("bad_utf8", changed(last, "x").encode("ascii", "ignore") + b"\xff\xfe")
    file.plant("nul_byte", changed(0, "1\0"))
    file.line_feeds()


def _plant_moments(file: _File) -> None:
    for kind, moment in (
        ("negative_timestamp", -1),
        ("negative_timestamp", -964_982_703),
        ("future_timestamp", _FAR_FUTURE),
        ("wrong_type", "yesterday"),
        ("fraction_in_integer", "964982703.5"),
        ("exponent_in_integer", "9.64982703e8"),
        ("empty_value", ""),
    ):
        fields = file.take().fields()
        file.plant(kind, ",".join([*fields[:-1], str(moment)]))


def _plant_ratings(file: _File) -> None:
    _plant_common(file, (0, 1))
    _plant_moments(file)
    for value in ("3.57", "7", "5.5", "0", "-0.5", "3.25"):
        user, movie, _, moment = file.take().fields()
        file.plant("rating_out_of_range", f"{user},{movie},{value},{moment}")
    for kind, value in (
        ("wrong_type", "good"),
        ("empty_value", ""),
        ("extra_column", "3,5"),
    ):
        user, movie, _, moment = file.take().fields()
        file.plant(kind, f"{user},{movie},{value},{moment}")

    for _ in range(3):
        original = file.take()
        copy = file.plant("exact_duplicate", original.data, after=original)
        copy.expected, copy.other = "superseded", original
        original.kind, original.other = "exact_duplicate_original", copy
    for _ in range(3):
        original = file.take()
        user, movie, rating, moment = original.fields()
        other = "2.0" if rating != "2.0" else "4.0"
        later = f"{user},{movie},{other},{int(moment) + _DAY}"
        new = file.plant("re_rated_later", later, expected="kept")
        file.mark(original, "re_rated_original", new)
    for _ in range(2):
        original = file.take()
        user, movie, rating, moment = original.fields()
        other = "2.0" if rating != "2.0" else "4.0"
        earlier = f"{user},{movie},{other},{int(moment) - 60}"
        new = file.plant("re_rated_earlier", earlier, expected="superseded")
        original.kind, original.other, new.other = "re_rated_winner", new, original
    for step in (1, -1, 1, -1):
        original = file.take()
        while not 1.0 <= float(original.fields()[2]) <= 4.0:
            original = file.take()
        user, movie, rating, moment = original.fields()
        tied = f"{user},{movie},{float(rating) + step / 2:.1f},{moment}"
        if step > 0:
            new = file.plant("tied_higher", tied, expected="kept")
            file.mark(original, "tied_original", new)
        else:
            new = file.plant("tied_lower", tied, expected="superseded")
            original.kind, original.other, new.other = "tied_winner", new, original
    for number in range(3):
        user, _, rating, moment = file.take().fields()
        text = f"{user},{_UNKNOWN_MOVIE + number // 2},{rating},{moment}"
        file.plant("unknown_movie", text, expected="kept")


def _plant_tags(file: _File) -> None:
    _plant_common(file, (0, 1))
    _plant_moments(file)
    user, movie, _, moment = file.take().fields()
    file.plant("extra_column", f"{user},{movie},funny, but sad,{moment}")
    for kind, text in _HOSTILE:
        user, movie, _, moment = file.take().fields()
        file.plant(kind, _join((user, movie, text, moment)), expected="kept")
    for text in ("", "   ", "\t", "\u00a0"):
        user, movie, _, moment = file.take().fields()
        file.plant("blank_tag", f"{user},{movie},{text},{moment}", expected="dropped")

    pairs = [tuple(each.data.split(b",", 2)[:2]) for each in file.records]
    alone = [
        record
        for record in file.take_all()
        if b'"' not in record.data
        and record.fields()[2].strip()
        and pairs.count(tuple(record.data.split(b",", 2)[:2])) == 1
    ]
    for number, original in enumerate(alone[:4]):
        user, movie, tag, moment = original.fields()
        other = (tag.upper() + " ", f"  {tag.swapcase()}")[number % 2]
        text = f"{user},{movie},{other},{int(moment) + 60}"
        new = file.plant("same_tag_again", text, expected="kept")
        file.mark(original, "same_tag_original", new)
    for number in range(2):
        user, _, tag, moment = file.take().fields()
        text = f"{user},{_UNKNOWN_MOVIE + 2 * number},{tag},{moment}"
        file.plant("unknown_movie", text, expected="kept")


def _plant_movies(file: _File) -> None:
    newest = int(file.records[-1].fields()[0])
    _plant_common(file, (0,))
    number, _, genres = file.take().fields()
    file.plant("extra_column", f"{number},Salt, Smoke and Rust (1999),{genres}")
    number, _, genres = file.take().fields()
    file.plant("line_break_in_quotes", f'{number},"Broken', f'in Two (2001)",{genres}')
    for step, (kind, text) in enumerate(_HOSTILE, start=1):
        fields = (str(newest + step), f"{text} (2011)", "Comedy|Drama")
        file.plant(kind, _join(fields), expected="kept")
    for _ in range(3):
        original = file.take()
        number, title, _ = original.fields()
        text = f"{number},{title.strip()} again,Comedy|Mystery"
        new = file.plant("duplicate_id", text, expected="kept", after=original)
        file.mark(original, "duplicate_id_original", new)


def _plant_links(file: _File) -> None:
    _plant_common(file, (0,))
    text = f"{_UNKNOWN_MOVIE + 7},0012345,77777"
    file.plant("unknown_movie", text, expected="orphan")


def _plant_genome_scores(file: _File) -> None:
    _plant_common(file, (0, 1))
    for kind, value in (
        ("wrong_type", "high"),
        ("relevance_out_of_range", "1.5"),
        ("relevance_out_of_range", "-0.25"),
        ("wrong_type", "nan"),
        ("empty_value", ""),
    ):
        movie, tag, _ = file.take().fields()
        file.plant(kind, f"{movie},{tag},{value}")
    for number in range(2):
        text = f"{_UNKNOWN_MOVIE + 8},{number + 1},0.5"
        file.plant("unknown_movie", text, expected="orphan")


_PLANTERS = {
    "movies.csv": _plant_movies,
    "links.csv": _plant_links,
    "ratings.csv": _plant_ratings,
    "tags.csv": _plant_tags,
    "genome-tags.csv": lambda file: _plant_common(file, (0,)),
    "genome-scores.csv": _plant_genome_scores,
}


def make_dirty(paths: Mapping[str, Path], seed: int, manifest: Path) -> Plan:
    """Plants the faults into clean files, in place, and writes the manifest.

    Args:
        paths: where each of the six files is, by its final name.
        seed: of the data set; decides where faults go.
        manifest: path of the JSON file to write.
    """
    parts: dict[str, dict[str, Any]] = {}
    for name, plant in _PLANTERS.items():
        # Movies need their greatest id, so this file is read whole; it is small.
        head = 1 << 30 if name == "movies.csv" else _HEAD
        file = _File(name, paths[name], stream_key(seed, f"faults {name}"), head)
        plant(file)
        parts[name] = file.manifest(file.write())
    document = json.dumps({"seed": seed, "files": parts}, indent=2) + "\n"
    manifest.write_bytes(document.encode("ascii"))
    return Plan(
        records={name: part["records"] for name, part in parts.items()},
        planted=sum(len(part["planted"]) for part in parts.values()),
    )
