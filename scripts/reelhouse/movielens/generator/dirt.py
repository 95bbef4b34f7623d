"""Known faults, planted into clean files, and the manifest that lists each of them.

Every planted record has an expectation:

- `rejected`: breaks the file contract; a loader keeps it aside and loads the rest;
- `kept`: loaded, and published unless stated otherwise;
- `superseded`: loaded, and loses against `other_record` of the same key;
- `dropped`: loaded, and left out downstream (a blank tag);
- `orphan`: loaded, but its movie is in no movies file and it cannot stand alone.

A record is a line after the header, so a line break within quotes makes two records
that are both broken. Most faults are in faults.yml; here are those that compete with a
clean record for its key.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reelhouse.movielens.generator.chance import Dice
from reelhouse.movielens.generator.csvbytes import NEWLINE, line
from reelhouse.movielens.generator.words import FAULTS

# Faults are only planted in so many first records; the rest of a big file is copied.
_HEAD = 2_000
_DAY = 86_400
# `surrogateescape` encodes these characters as bytes that are not valid UTF-8.
_INVALID = "\udcff\udcfe"


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


class _File:
    """The head of one file, to plant faults in."""

    def __init__(self, name: str, path: Path, seed: int, head: int) -> None:
        self._path, self._dice = path, Dice(seed, f"faults {name}")
        self.records: list[_Record] = []
        with path.open("rb") as source:
            self._header = source.readline()
            while len(self.records) < head and (raw := source.readline()):
                self.records.append(_Record(raw.removesuffix(NEWLINE)))
            self._rest = source.tell()
            self._rest_records = sum(
                chunk.count(b"\n") for chunk in iter(lambda: source.read(1 << 20), b"")
            )
        self._clean = [each for each in self.records[:_HEAD] if b'"' not in each.data]

    def take(self, is_fit: Callable[[list[str]], bool] = lambda _: True) -> _Record:
        """A clean record without quotes that fits and that no fault has used yet."""
        record = self._dice.choose([e for e in self._clean if is_fit(e.fields())])
        self._clean.remove(record)
        return record

    def plant(
        self,
        kind: str,
        *lines: str,
        expected: str = "rejected",
        after: _Record | None = None,
    ) -> _Record:
        """Insert lines in order at a random place, behind `after` if that is given."""
        first = self.records.index(after) + 1 if after else 0
        at = first + self._dice.below(len(self.records) + 1 - first)
        while 0 < at < len(self.records) and self._torn(at):
            at += 1
        new = [
            _Record(each.encode(errors="surrogateescape"), kind=kind, expected=expected)
            for each in lines
        ]
        self.records[at:at] = new
        return new[0]

    def _torn(self, at: int) -> bool:
        """Whether a place is between the two lines of one fault."""
        kind = self.records[at].kind
        return kind == "line_break_in_quotes" == self.records[at - 1].kind

    def plant_all(self, faults: Mapping[str, Mapping[str, list[str]]]) -> None:
        """Plants the faults of a part of faults.yml."""
        for expected, kinds in faults.items():
            for kind, text in (
                (k, text) for k, texts in kinds.items() for text in texts
            ):
                fields = self.take().fields()
                made = text.format(
                    *fields,
                    start=",".join(fields[:-1]),
                    last=fields[-1],
                    rest=",".join(fields[1:]),
                    invalid=_INVALID,
                )
                self.plant(kind, *made.split("\n"), expected=expected)

    def rival(
        self, original: _Record, text: str, kinds: str, wins: bool, behind: bool = False
    ) -> None:
        """Plant a record with the same key as `original`, which wins or loses.

        `kinds` are those of the new record and the original; `behind` puts it later.
        """
        kind, original.kind = kinds.split()
        loses = ("superseded", "kept")
        original.expected, expected = loses if wins else reversed(loses)
        new = self.plant(
            kind, text, expected=expected, after=original if behind else None
        )
        original.other, new.other = new, original

    def write(self) -> dict[str, Any]:
        """Replace the file and return its part of the manifest."""
        aside = self._path.with_name(self._path.name + ".dirty")
        with aside.open("wb") as target, self._path.open("rb") as source:
            target.write(self._header)
            for record in self.records:
                target.write(record.data + record.end)
            source.seek(self._rest)
            shutil.copyfileobj(source, target, 1 << 20)
        aside.replace(self._path)

        numbers = {id(record): i for i, record in enumerate(self.records, start=1)}
        planted = []
        for record in self.records:
            if not record.kind:
                continue
            entry: dict[str, Any] = {
                "kind": record.kind,
                "record_number": numbers[id(record)],
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
        return {
            "records": len(self.records) + self._rest_records,
            "expected_rejected": rejected,
            "planted": planted,
        }


def _plant_ratings(file: _File) -> None:
    for _ in range(3):
        original = file.take()
        kinds = "exact_duplicate exact_duplicate_original"
        file.rival(original, original.data.decode(), kinds, wins=False, behind=True)
    for kinds, seconds in (
        *[("re_rated_later re_rated_original", _DAY)] * 3,
        *[("re_rated_earlier re_rated_winner", -60)] * 2,
    ):
        original = file.take()
        user, movie, rating, moment = original.fields()
        other = "2.0" if rating != "2.0" else "4.0"
        text = f"{user},{movie},{other},{int(moment) + seconds}"
        file.rival(original, text, kinds, wins=seconds > 0)
    for kinds, step in (
        *[("tied_higher tied_original", 0.5)] * 2,
        *[("tied_lower tied_winner", -0.5)] * 2,
    ):
        original = file.take(lambda fields: 1.0 <= float(fields[2]) <= 4.0)
        user, movie, rating, moment = original.fields()
        text = f"{user},{movie},{float(rating) + step:.1f},{moment}"
        file.rival(original, text, kinds, wins=step > 0)


def _plant_tags(file: _File) -> None:
    heads = (each.data.decode().split(",")[:2] for each in file.records)
    pairs = Counter(map(tuple, heads))

    def is_alone(fields: list[str]) -> bool:
        return pairs[*fields[:2]] == 1 and bool(fields[2].strip())

    for number in range(4):
        original = file.take(is_alone)
        user, movie, tag, moment = original.fields()
        other = (tag.upper() + " ", f"  {tag.swapcase()}")[number % 2]
        text = f"{user},{movie},{other},{int(moment) + 60}"
        file.rival(original, text, "same_tag_again same_tag_original", wins=True)
    for kind, text in _hostile():
        user, movie, _, moment = file.take().fields()
        file.plant(kind, _join(user, movie, text, moment), expected="kept")


def _plant_movies(file: _File) -> None:
    newest = int(file.records[-1].fields()[0])
    for step, (kind, text) in enumerate(_hostile(), start=1):
        record = _join(str(newest + step), f"{text} (2011)", "Comedy|Drama")
        file.plant(kind, record, expected="kept")
    for _ in range(3):
        original = file.take()
        number, title, _ = original.fields()
        text = f"{number},{title.strip()} again,Comedy|Mystery"
        kinds = "duplicate_id duplicate_id_original"
        file.rival(original, text, kinds, wins=True, behind=True)


def _hostile() -> list[tuple[str, str]]:
    return [(kind, text) for kind, texts in FAULTS["hostile"].items() for text in texts]


def _join(*fields: str) -> str:
    return line(fields).removesuffix(NEWLINE).decode()


_PLANTERS = {
    "movies.csv": _plant_movies,
    "ratings.csv": _plant_ratings,
    "tags.csv": _plant_tags,
}


def make_dirty(folder: Path, seed: int, manifest: Path) -> dict[str, Any]:
    """Plant faults into the six clean files of a folder, and write the manifest.

    Returns the manifest's entry for each file, with `records` and `planted`.
    The seed of the data set decides where faults go.
    """
    parts: dict[str, dict[str, Any]] = {}
    for name, columns in FAULTS["integer_columns"].items():
        # Movies need their greatest id, so this file is read whole; it is small.
        head = 1 << 30 if name == "movies.csv" else _HEAD
        file = _File(name, folder / name, seed, head)
        if name in _PLANTERS:
            _PLANTERS[name](file)
        for column in columns:
            for kind, value in FAULTS["integers"].items():
                fields = file.take().fields()
                fields[column] = value
                file.plant(kind, ",".join(fields))
        has_moments = name in ("ratings.csv", "tags.csv")
        for part in ("every file", "with moments" if has_moments else "", name):
            file.plant_all(FAULTS.get(part, {}))
        for _ in range(3):
            record = file.take()
            record.end, record.kind = b"\n", "lf_line_end"
        parts[name] = file.write()
    text = json.dumps({"seed": seed, "files": parts}, indent=2) + "\n"
    manifest.write_text(text, encoding="ascii")
    return parts
