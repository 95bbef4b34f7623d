"""Diagram: docs/entities.md, the published tables and how they refer to each other.

`python -m tools.diagram` writes it from target/manifest.json; `make docs` makes
both.
"""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import Any

from reelhouse.powerbi.relations import Relation, Table, relations_of, tables_of
from reelhouse.settings import project

MANIFEST = project() / "target/manifest.json"
PAGE = project() / "docs/entities.md"

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


if __name__ == "__main__":
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    PAGE.write_text(page_of(manifest), encoding="utf-8")
