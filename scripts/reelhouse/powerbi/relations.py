"""Relations: the published tables, their keys, and how they refer to each other.

All of it is read from the tests of the tree, by its manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """A published table of a model; `columns` maps names to declared types, `keys`
    holds each unique key, the primary one first."""

    unique_id: str
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
        _table(unique_id, node, _tests_of(manifest, unique_id))
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
            parent=_parent(manifest, test),
            field=test["test_metadata"]["kwargs"]["field"],
            condition=test["config"]["where"],
        )
        for test in _tests_of(manifest, table.unique_id)
        if test["test_metadata"]["name"] == "relationships"
    ]
    return sorted(
        found, key=lambda relation: (names.index(relation.column), relation.parent)
    )


def _tests_of(manifest: dict[str, Any], unique_id: str) -> list[dict[str, Any]]:
    """The generic tests of a node."""
    return [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and node.get("test_metadata")
        and node["attached_node"] == unique_id
    ]


def _table(unique_id: str, node: dict[str, Any], tests: list[dict[str, Any]]) -> Table:
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
        unique_id=unique_id,
        # A version of a model has a relation of its own.
        name=node["alias"],
        subject=node["fqn"][2],
        columns={name: node["columns"][name]["data_type"] for name in columns},
        # The widest is the natural one, the others stand for it.
        keys=sorted(keys, key=lambda key: (-len(key), [*map(columns.index, key)])),
        never_null=never_null,
    )


def _parent(manifest: dict[str, Any], test: dict[str, Any]) -> str:
    """The relation that a relationships test refers to."""
    _, name, *_ = test["test_metadata"]["kwargs"]["to"].split("'")
    nodes = [manifest["nodes"][each] for each in test["depends_on"]["nodes"]]
    return str(next(node["alias"] for node in nodes if node["name"] == name))
