"""Relations: the published tables, and how they refer to each other.

All of it is read from the tests in the dbt manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# dbt's description of a model or a test.
Node = dict[str, Any]


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


def marts_of(manifest: Node) -> dict[str, Node]:
    """The published tables by name: those of the star, then by subject and name."""
    found = [
        # The alias: each version of a model is a table of its own.
        (subject_of(node) != "core", subject_of(node), node["alias"], node)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["fqn"][1] == "marts"
    ]
    return {name: node for *_, name, node in sorted(found, key=lambda each: each[:3])}


def subject_of(node: Node) -> str:
    """The folder of the marts that a model lies in."""
    return str(node["fqn"][2])


def relations_of(manifest: Node, mart: Node) -> list[Relation]:
    """The tested relations of a table's columns, in the order of the columns."""
    names = list(mart["columns"])
    found = [
        Relation(
            child=mart["alias"],
            column=test["column_name"],
            parent=_parent(manifest, test),
            field=test["test_metadata"]["kwargs"]["field"],
            condition=test["config"]["where"],
        )
        for test in tests_of(manifest, mart)
        if test["test_metadata"]["name"] == "relationships"
    ]
    return sorted(found, key=lambda each: (names.index(each.column), each.parent))


def tests_of(manifest: Node, mart: Node) -> list[Node]:
    """The generic tests of a table."""
    return [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and node.get("test_metadata")
        and node["attached_node"] == mart["unique_id"]
    ]


def _parent(manifest: Node, test: Node) -> str:
    """Return the published name of the table that a relationships test refers to."""
    _, name, *_ = test["test_metadata"]["kwargs"]["to"].split("'")
    nodes = [manifest["nodes"][each] for each in test["depends_on"]["nodes"]]
    return str(next(node["alias"] for node in nodes if node["name"] == name))
