"""Diagram: docs/entities.md, the published tables and how they refer to each other.

`python -m tools.diagram` writes it from target/manifest.json; `make docs` makes
both.
"""

from __future__ import annotations

import json
import re
from itertools import groupby

from reelhouse.powerbi.relations import (
    Node,
    Relation,
    marts_of,
    relations_of,
    subject_of,
    tests_of,
)
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


def page_of(manifest: Node) -> str:
    """The whole page, in Markdown with a Mermaid diagram for each subject."""
    sections = [INTRODUCTION]
    for subject, group in groupby(marts_of(manifest).values(), subject_of):
        boxes = ["erDiagram"]
        edges = []
        for mart in group:
            keys, never_null = _keys(manifest, mart)
            relations = relations_of(manifest, mart)
            boxes += _box(mart, keys, {relation.column for relation in relations})
            edges += [_line(relation, keys, never_null) for relation in relations]
        title = "Core: the star" if subject == "core" else subject.capitalize()
        diagram = "\n".join([*boxes, *edges])
        sections.append(f"## {title}\n\n```mermaid\n{diagram}\n```\n")
    return "\n".join(sections)


def _keys(manifest: Node, mart: Node) -> tuple[list[list[str]], set[str]]:
    """The unique keys of a table, the primary one first, and its not-null columns."""
    columns = list(mart["columns"])
    keys = []
    never_null = {
        name
        for name, column in mart["columns"].items()
        if any(each["type"] == "not_null" for each in column["constraints"])
    }
    for test in tests_of(manifest, mart):
        match test["test_metadata"]["name"]:
            case "unique_combination":
                keys.append(list(test["test_metadata"]["kwargs"]["columns"]))
                never_null.update(keys[-1])
            case "unique":
                keys.append([test["column_name"]])
            case "not_null":
                never_null.add(test["column_name"])
    # The key with the most columns is the natural one; the others are surrogates.
    keys.sort(key=lambda key: (-len(key), [*map(columns.index, key)]))
    return keys, never_null


def _box(mart: Node, keys: list[list[str]], references: set[str]) -> list[str]:
    lines = [f"    {mart['alias']} {{"]
    for name, column in mart["columns"].items():
        marks = [
            mark
            for mark, is_there in (
                ("PK", name in keys[0]),
                ("UK", [name] in keys[1:]),
                ("FK", name in references),
            )
            if is_there
        ]
        # Older versions of Mermaid accept no comma in a type.
        data_type = column["data_type"]
        word = re.split(r"\W", data_type)[0]
        comment = "" if word == data_type else f'"{data_type}"'
        parts = [word, name, ", ".join(marks), comment]
        lines.append("        " + " ".join(part for part in parts if part))
    return [*lines, "    }"]


def _line(relation: Relation, keys: list[list[str]], never_null: set[str]) -> str:
    always = relation.column in never_null and relation.condition is None
    parent_end = "||" if always else "|o"
    child_end = "o|" if [relation.column] in keys else "o{"
    label = relation.column
    if relation.condition:
        label = f'"{relation.column} where {relation.condition}"'
    return f"    {relation.parent} {parent_end}--{child_end} {relation.child} : {label}"


if __name__ == "__main__":
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    PAGE.write_text(page_of(manifest), encoding="utf-8")
