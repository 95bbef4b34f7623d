"""What can be known of a project without Power BI: names that exist, and schemas.

Everything is read from the files themselves, as somebody else would.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reelhouse.errors import ReelhouseError
from reelhouse.powerbi.documents import SCHEMAS

QUOTED = r"'((?:[^']|'')+)'"
TABLE = re.compile(rf"^table (?:{QUOTED}|(\w+))$", re.MULTILINE)
COLUMN = re.compile(rf"^\tcolumn (?:{QUOTED}|(\w+))$", re.MULTILINE)
MEASURE = re.compile(rf"^\tmeasure (?:{QUOTED}|(\w+)) = (.+)$", re.MULTILINE)
END = re.compile(r"^\t(?:from|to)Column: (\w+)\.(\w+)$", re.MULTILINE)
REFERENCE = re.compile(rf"^ref table (?:{QUOTED}|(\w+))$", re.MULTILINE)
# A column of a table, a measure, a table alone; texts are none of them.
DAX_NAME = re.compile(rf'"[^"]*"|{QUOTED}\[([^\]]+)\]|\[([^\]]+)\]|{QUOTED}')


@dataclass
class Names:
    """What the files of a model define; measures with their DAX."""

    columns: dict[str, set[str]] = field(default_factory=dict)
    measures: dict[str, dict[str, str]] = field(default_factory=dict)


def names_in(files: dict[str, str]) -> Names:
    """Tables, columns and measures that the TMDL of a project defines."""
    names = Names()
    for path, text in files.items():
        if "/definition/tables/" in path:
            (table,) = _found(TABLE, text)
            names.columns[table] = set(_found(COLUMN, text))
            names.measures[table] = {
                _name(match): match[3] for match in MEASURE.finditer(text)
            }
    return names


def check_fields(files: dict[str, str]) -> None:
    """Raise ReelhouseError that names everything that is spoken of and not there."""
    faults = list(_faults(files))
    if faults:
        raise ReelhouseError(
            f"The Power BI project uses what its model does not have: "
            f"{'; '.join(faults[:5])}."
        )


def check_schemas(files: dict[str, str], schemas: Path) -> int:
    """How many files hold to the schemas that they name.

    `schemas` is a copy of Microsoft's folder json-schemas/fabric. Raises ReelhouseError
    for the first file that breaks its schema, or whose schema is not in the folder.
    """
    from jsonschema import Draft7Validator  # type: ignore[import-untyped]
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT7

    def retrieved(address: str) -> Any:
        path = schemas / address.removeprefix(SCHEMAS)
        if not address.startswith(SCHEMAS) or not path.is_file():
            raise _not_held(schemas, address)
        return DRAFT7.create_resource(json.loads(path.read_text(encoding="utf-8")))

    registry: Any = Registry(retrieve=retrieved)  # type: ignore[call-arg]
    documents = {
        name: json.loads(text) for name, text in files.items() if '"$schema"' in text
    }
    for name, document in documents.items():
        schema = retrieved(document["$schema"]).contents
        validator = Draft7Validator(schema, registry=registry)
        try:
            errors = list(validator.iter_errors(document))
        except Unresolvable as error:
            raise _not_held(schemas, error.ref) from error
        for each in errors:
            where = "/".join(map(str, each.absolute_path)) or "the whole"
            raise ReelhouseError(
                f"{name} breaks Microsoft's schema at {where}: {each.message[:200]}."
            )
    return len(documents)


def _not_held(schemas: Path, address: str) -> ReelhouseError:
    return ReelhouseError(
        f"{schemas} does not hold the schema {address}: name a copy of the folder "
        f"fabric of Microsoft's json-schemas."
    )


def _faults(files: dict[str, str]) -> Iterator[str]:
    names = names_in(files)
    for path, text in files.items():
        if path.endswith("/model.tmdl"):
            referred = _found(REFERENCE, text)
            if sorted(referred) != sorted(names.columns):
                yield f"{path} refers to other tables than there are"
        elif path.endswith("/relationships.tmdl"):
            for table, column in END.findall(text):
                if column not in names.columns.get(table, ()):
                    yield f"{table}[{column}] in {path}"
        elif path.endswith("/visual.json"):
            for kind, table, name in fields_of(json.loads(text)):
                there = names.columns if kind == "Column" else names.measures
                if name not in there.get(table, ()):
                    yield f"{kind} {table}[{name}] in {path}"
    every_measure = {name for each in names.measures.values() for name in each}
    for table, measures in names.measures.items():
        for measure, dax in measures.items():
            for match in DAX_NAME.finditer(dax):
                column_table, column, other, table_alone = match.groups()
                if column and column not in names.columns.get(column_table, ()):
                    yield f"{column_table}[{column}] in measure {measure}"
                if other and other not in every_measure:
                    yield f"[{other}] in measure {measure}"
                if table_alone and table_alone not in names.columns:
                    yield f"{table_alone} in measure {measure}"
        clashes = {name.lower() for name in measures} & {
            name.lower() for name in names.columns[table]
        }
        for name in sorted(clashes):
            yield f"two things named {name} in {table}"


def fields_of(part: Any) -> Iterator[tuple[str, str, str]]:
    """Kind, table and name of every field in a visual, wherever it stands."""
    if isinstance(part, list):
        for each in part:
            yield from fields_of(each)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in {"Column", "Measure"}:
                table = value["Expression"]["SourceRef"]["Entity"]
                yield key, table, value["Property"]
            yield from fields_of(value)


def _found(pattern: re.Pattern[str], text: str) -> list[str]:
    return [_name(match) for match in pattern.finditer(text)]


def _name(match: re.Match[str]) -> str:
    return match[1].replace("''", "'") if match[1] else match[2]
