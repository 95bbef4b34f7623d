"""Diagram: docs/entities.md, the published tables and how they refer to each other.

`python -m tools.diagram` writes it from target/manifest.json; `make docs` makes
both.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from reelhouse.settings import PROJECT

MANIFEST = PROJECT / "target/manifest.json"
PAGE = PROJECT / "docs/entities.md"

INTRODUCTION = """\
<!-- Made by `make docs` from the tests in models/marts; changes here are lost. -->

# The published tables and their relations

Every line is a relation that each build tests: a value of the column that the line
names is a key of the table at its upper end. Nothing else is drawn, so what a diagram
shows holds in what is published.

`PK` marks the columns of the primary key, `UK` another unique key, `FK` a column with
a tested relation. Two bars at the upper end of a line say that every row has such a
key; a bar and a circle, that some rows have none: their value is null, or one that the
label leaves out. A box without columns is a table of another diagram, or a seed.
"""


@dataclass(frozen=True)
class Table:
    """A published table; `columns` maps names to declared types, `keys` holds each
    unique key, the primary one first."""

    name: str
    subject: str
    columns: dict[str, str]
    keys: list[list[str]]
    never_null: set[str]


@dataclass(frozen=True)
class Relation:
    """A relationships test: `child.column` holds a value of `parent.field`, its key.

    `condition` is the SQL condition of the rows tested, None for all of them.
    """

    child: str
    column: str
    parent: str
    field: str
    condition: str | None


def tables_of(manifest: dict[str, Any]) -> list[Table]:
    """The published tables, those of the star first, then by subject and name."""
    found = [
        _table(node, _tests_of(manifest, unique_id))
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and node["fqn"][1] == "marts"
    ]
    return sorted(
        found, key=lambda table: (table.subject != "core", table.subject, table.name)
    )


def relations_of(manifest: dict[str, Any], table: Table) -> list[Relation]:
    """The tested relations of a table's columns, in the order of the columns."""
    names = list(table.columns)
    found = [
        Relation(
            child=table.name,
            column=test["column_name"],
            parent=_name_in_ref(test["test_metadata"]["kwargs"]["to"]),
            field=test["test_metadata"]["kwargs"]["field"],
            condition=test["config"]["where"],
        )
        for test in _tests_of(manifest, f"model.reelhouse.{table.name}")
        if test["test_metadata"]["name"] == "relationships"
    ]
    return sorted(
        found, key=lambda relation: (names.index(relation.column), relation.parent)
    )


def page_of(manifest: dict[str, Any]) -> str:
    """The whole page, in Markdown with a Mermaid diagram for each subject."""
    sections = [INTRODUCTION]
    for subject, group in groupby(tables_of(manifest), lambda table: table.subject):
        lines = ["erDiagram"]
        edges = []
        for table in group:
            relations = relations_of(manifest, table)
            lines += _box(table, {relation.column for relation in relations})
            edges += [_line(table, relation) for relation in relations]
        title = "Core: the star" if subject == "core" else subject.capitalize()
        diagram = "\n".join([*lines, *edges])
        sections.append(f"## {title}\n\n```mermaid\n{diagram}\n```\n")
    return "\n".join(sections)


def _tests_of(manifest: dict[str, Any], unique_id: str) -> list[dict[str, Any]]:
    """The generic tests of a node."""
    return [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and node.get("test_metadata")
        and node["attached_node"] == unique_id
    ]


def _table(node: dict[str, Any], tests: list[dict[str, Any]]) -> Table:
    columns = list(node["columns"])
    keys = []
    never_null = {
        name
        for name, column in node["columns"].items()
        if any(each["type"] == "not_null" for each in column["constraints"])
    }
    for test in tests:
        match test["test_metadata"]["name"]:
            case "unique_combination":
                keys.append(list(test["test_metadata"]["kwargs"]["columns"]))
                never_null.update(keys[-1])
            case "unique":
                keys.append([test["column_name"]])
            case "not_null":
                never_null.add(test["column_name"])
    return Table(
        name=node["name"],
        subject=node["fqn"][2],
        columns={name: node["columns"][name]["data_type"] for name in columns},
        # The widest is the natural one, the others stand for it.
        keys=sorted(keys, key=lambda key: (-len(key), [*map(columns.index, key)])),
        never_null=never_null,
    )


def _box(table: Table, references: set[str]) -> list[str]:
    lines = [f"    {table.name} {{"]
    for name, data_type in table.columns.items():
        marks = [
            mark
            for mark, is_there in (
                ("PK", name in table.keys[0]),
                ("UK", [name] in table.keys[1:]),
                ("FK", name in references),
            )
            if is_there
        ]
        # Older versions of Mermaid take no comma in a type.
        word = re.split(r"\W", data_type)[0]
        comment = "" if word == data_type else f'"{data_type}"'
        parts = [word, name, ", ".join(marks), comment]
        lines.append("        " + " ".join(part for part in parts if part))
    return [*lines, "    }"]


def _line(table: Table, relation: Relation) -> str:
    always = relation.column in table.never_null and relation.condition is None
    parent_end = "||" if always else "|o"
    child_end = "o|" if [relation.column] in table.keys else "o{"
    label = relation.column
    if relation.condition:
        label = f'"{relation.column} where {relation.condition}"'
    return f"    {relation.parent} {parent_end}--{child_end} {relation.child} : {label}"


def _name_in_ref(call: str) -> str:
    return call.removeprefix("ref('").removesuffix("')")


if __name__ == "__main__":
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    PAGE.write_text(page_of(manifest), encoding="utf-8")
