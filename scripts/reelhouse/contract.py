"""The file contract: what each file of the source holds, read from the dbt sources.

`models/staging/movielens/_movielens__sources.yml` declares files, columns, types and
ranges once. dbt reads it as sources, this module reads it for the loader. Sources files
in other folders of models/staging are read in the same way.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from reelhouse.errors import ReelhouseError
from reelhouse.settings import project

STAGING = "models/staging"
# The file in it that declares the ledger, in which the loader records its own work.
LEDGER = "reelhouse/_reelhouse__sources.yml"
DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst")
# The name of a folder with a later delivery: a day, and perhaps a time. In this single
# form, the order of names is the order of time.
DELIVERY = re.compile(r"\d{4}-\d\d-\d\d(T\d\d(\d\d){0,2})?")
LIKE_A_DELIVERY = re.compile(r"(19|20)\d\d[-_. ]?\d\d?[-_. ]?\d\d?.*")
ENDING = re.compile(r"\.csv(\.gz)?$", re.IGNORECASE)
# Files of MovieLens releases that no entity is declared for.
OTHER_FORMATS = {
    **dict.fromkeys(("movies.dat", "ratings.dat"), "MovieLens 1M or 10M"),
    **dict.fromkeys(("u.data", "u.item"), "MovieLens 100K"),
}
# The rules that a column's meta may have, and the attribute of `Column` for each.
RULES = {"min": "minimum", "max": "maximum"} | {
    name: name
    for name in ("header", "above", "step", "may_be_empty", "is_epoch", "separator")
}
# Increase this when the rules for records change: all records are then judged again.
INGEST_VERSION = 2
# The most digits of a bigint, and of either part of a double.
BIGINT_DIGITS, DOUBLE_DIGITS = 18, 30


@dataclass(frozen=True)
class Column:
    """A column of a raw table; `header` is None if the loader fills the column in."""

    name: str
    data_type: str
    header: str | None = None
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    step: float | None = None
    may_be_empty: bool = False
    is_epoch: bool = False
    separator: str | None = None

    @property
    def digits(self) -> tuple[int, int] | None:
        """How many digits its type allows before and after the dot.

        None for text, and for a type that the loader cannot check.
        """
        if self.data_type == "bigint":
            return BIGINT_DIGITS, 0
        if self.data_type == "double":
            return DOUBLE_DIGITS, DOUBLE_DIGITS
        if parts := DECIMAL.fullmatch(self.data_type):
            precision, scale = map(int, parts.groups())
            return precision - scale, scale
        return None


@dataclass(frozen=True)
class Table:
    """A raw table: its name in schema raw, and its columns in order."""

    name: str
    columns: tuple[Column, ...]

    def has_column(self, name: str) -> bool:
        return any(column.name == name for column in self.columns)


@dataclass(frozen=True)
class Entity(Table):
    """A raw table that is fed by files.

    `file` is the stem of its files. In one object, a later record overrules an earlier
    one with the same `key`; without a key, the whole content identifies a record.
    `singular` says what a file is whose name lacks the final s, if known.
    """

    file: str = ""
    singular: str | None = None
    is_required: bool = False
    key: tuple[str, ...] = ()

    @property
    def file_columns(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.header)

    @property
    def header(self) -> str:
        """The first line that every file of this entity must have."""
        return ",".join(str(column.header) for column in self.file_columns)

    @cached_property
    def contract(self) -> str:
        """A hash of everything that decides which records are loaded, and as what."""
        columns = [asdict(column) for column in self.columns]
        decisive = [INGEST_VERSION, self.file, self.key, columns]
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()

    def accepts(self, key: str) -> bool:
        """Whether an object key, relative to the source, belongs to this entity.

        Names that begin with a dot or an underscore belong to other programs.
        """
        key = delivery_of(key)[1]
        stem, _, suffix = unpacked(key).rpartition(".")
        return (
            suffix.lower() == "csv"
            and (stem == self.file or key.startswith(f"{self.file}/"))
            and not _is_hidden(key)
        )


@dataclass(frozen=True)
class Listing:
    """Object keys of a source, grouped by entity; `hints` name likely mistakes."""

    by_entity: Mapping[str, Collection[str]]
    ignored: list[str]
    hints: list[str]

    @property
    def deliveries(self) -> list[str]:
        """The deliveries in order; '' is the one that is not in a delivery folder.

        Those before every required file is there belong to the one that completes them.
        """
        days = {
            name: {delivery_of(key)[0] for key in keys}
            for name, keys in self.by_entity.items()
        }
        required = [days[name] for name, e in entities().items() if e.is_required]
        complete = max((min(each, default="") for each in required), default="")
        return sorted(day for day in set().union(*days.values()) if day >= complete)

    def as_of(self, delivery: str) -> dict[str, dict[str, str]]:
        """For each entity, its files as of a delivery: object keys by file name."""
        return {
            name: {
                unpacked(file): key
                for (when, file), key in sorted((delivery_of(key), key) for key in keys)
                if when <= delivery
            }
            for name, keys in self.by_entity.items()
        }


@cache
def entities() -> dict[str, Entity]:
    """Every entity by name, in the order of the sources files."""
    found: dict[str, Entity] = {}
    staging = project() / STAGING
    for path in sorted({*staging.glob("*/_*__sources.yml")} - {staging / LEDGER}):
        try:
            found |= {entity.name: entity for entity in _entities(path)}
        # The errors that a wrong declaration leads to.
        except (
            *(AttributeError, KeyError, TypeError, ValueError),
            yaml.YAMLError,
        ) as error:
            why = f"{error} is missing" if isinstance(error, KeyError) else error
            raise ReelhouseError(
                f"{path.relative_to(project())} does not declare its files as "
                f"docs/own-data.md describes ({why}): correct it."
            ) from error
    return found


def _entities(path: Path) -> Iterator[Entity]:
    source = _source(path)
    singular = source.get("config", {}).get("meta", {}).get("singular")
    for table in source["tables"]:
        meta = table["config"]["meta"]
        entity = Entity(
            name=table["name"],
            columns=_columns(table),
            file=meta["file"],
            singular=singular,
            is_required=meta.get("required", False),
            key=tuple(meta.get("key", ())),
        )
        for name in entity.key:
            if not entity.has_column(name):
                raise ValueError(f"{entity.name} has no column {name} for its key")
        _check_types(entity, path)
        yield entity


@cache
def ledger_tables() -> tuple[Table, ...]:
    """The tables in which the loader records its own work."""
    tables = _source(project() / STAGING / LEDGER)["tables"]
    return tuple(Table(table["name"], _columns(table)) for table in tables)


def delivery_of(key: str) -> tuple[str, str]:
    """Split a key into its delivery folder ('' if there is none) and the rest.

    A file replaces one with the same name in an earlier delivery.
    """
    folder, _, name = key.partition("/")
    return (folder, name) if name and _is_delivery(folder) else ("", key)


@cache
def _is_delivery(folder: str) -> bool:
    try:
        return bool(DELIVERY.fullmatch(folder) and datetime.fromisoformat(folder))
    except ValueError:
        return False


def is_packed(key: str) -> bool:
    """Whether an object is compressed by gzip."""
    return key.lower().endswith(".csv.gz")


def unpacked(key: str) -> str:
    """The key of a CSV file with its ending, compressed or not, replaced by .csv."""
    return ENDING.sub(".csv", key)


def sort_out(keys: list[str]) -> Listing:
    """Group object keys by the entity that they belong to.

    If a file is there in several forms, the one that ends in .csv is read.
    """
    by_entity: dict[str, list[str]] = {name: [] for name in entities()}
    read: dict[str, str] = {}
    hints: list[str | None] = []
    ignored = []
    # The name of a file need not be valid text, as a key must; fsencode accepts both.
    for key in sorted(keys, key=lambda key: (unpacked(key) != key, os.fsencode(key))):
        owner = next((e for e in entities().values() if e.accepts(key)), None)
        if owner and _is_text(key):
            other = read.setdefault(unpacked(key), key)
            if other == key:
                by_entity[owner.name].append(key)
                continue
            hints.append(f"{key} is not read, since {other} is: remove one of the two")
        else:
            hints.append(_hint(key))
        ignored.append(key)
    # Many files of one folder need only one hint.
    return Listing(by_entity, ignored, list(dict.fromkeys(filter(None, hints))))


def _is_hidden(key: str) -> bool:
    return any(part[:1] in {".", "_"} for part in key.split("/"))


def _is_text(key: str) -> bool:
    return "\ufffd" not in os.fsencode(key).decode("utf-8", "replace")


def _hint(key: str) -> str | None:
    if not _is_text(key):
        return f"{os.fsencode(key)!r} is not read: give it a name in UTF-8"
    if "//" in f"/{key}":
        return f"{key} is not read: its path has a folder without a name"
    path = PurePosixPath(delivery_of(key)[1])
    if _is_hidden(key):
        return None
    if path.name in OTHER_FORMATS:
        return (
            f"{key} is of {OTHER_FORMATS[path.name]}, whose files are not CSV and "
            f"are not read: use a release such as ml-latest-small, ml-25m or ml-32m"
        )
    for entity in entities().values():
        wanted = f"{entity.file}.csv"
        if path.name == wanted and len(path.parts) > 1:
            folder = PurePosixPath(key).parent
            if LIKE_A_DELIVERY.fullmatch(folder.name):
                return (
                    f"the folder {folder} is not a delivery: a delivery is at the top "
                    f"of the source, named like 2026-01-31 or 2026-01-31T1830"
                )
            return f"the files are in the folder {folder}: use it as the source"
        if path.parts[0] == wanted and len(path.parts) > 1:
            return f"{wanted} is a folder: name it {entity.file}"
        if path.parts[0] == entity.file and len(path.parts) > 1:
            do = "unpack it" if path.suffix.lower() in PACKED else "give it that ending"
            if path.suffix.lower() in {*PACKED, "", ".txt", ".tsv", ".dat"}:
                return f"{key} is not read, since it does not end in .csv: {do}"
        spelling = entity.file.replace("-", "_")
        stem = path.name.lower().partition(".")[0].replace("-", "_")
        if path.suffix.lower() in PACKED and stem == spelling:
            return f"{key} is compressed: unpack it to {wanted}"
        if stem == spelling.removesuffix("s") and stem != spelling:
            if entity.singular:
                return f"{key} looks like {entity.singular.format(file=wanted)}"
            return f"{key} is not read: is it {wanted}?"
        if stem == spelling and path.suffix.lower() in {".csv", ".txt", ""}:
            return f"{key} is not read: name it {wanted} or put it under {entity.file}/"
    return None


def _source(path: Path) -> dict[str, Any]:
    (source,) = yaml.safe_load(path.read_text(encoding="utf-8"))["sources"]
    return dict(source)


def _check_types(entity: Entity, path: Path) -> None:
    for column in entity.file_columns:
        if column.data_type != "varchar" and not column.digits:
            raise ReelhouseError(
                f"{path.relative_to(project())} gives {entity.name}.{column.name} the "
                f"type {column.data_type}, which the loader cannot check: declare "
                f"varchar, bigint, double or decimal(p,s), and cast in staging."
            )


def _columns(table: dict[str, Any]) -> tuple[Column, ...]:
    columns = []
    for column in table["columns"]:
        meta = column.get("config", {}).get("meta", {})
        for key in meta.keys() - RULES.keys():
            # Others may have keys here; one that begins like a rule is an error.
            if rule := next(filter(key.startswith, RULES), None):
                raise ValueError(f"{column['name']} has {key} instead of {rule}")
        rules = {RULES[key]: meta[key] for key in RULES if key in meta}
        for name in ("minimum", "maximum", "above", "step"):
            float(rules.get(name, 0))
        columns.append(Column(column["name"], column["data_type"], **rules))
    return tuple(columns)
