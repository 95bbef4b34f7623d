"""The documentation matches the tree: relations drawn, everything described."""

from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

import pytest
import yaml
from tests.delivery import unbuilt
from tests.project import PROJECT

from reelhouse.transform.build import manifest_of
from tools.diagram import PAGE, page_of


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    """The manifest that dbt makes from the tree."""
    return manifest_of(unbuilt())


# --- the entity diagram


def test_the_diagram_is_that_of_the_tree(manifest: dict[str, Any]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(manifest), (
        "docs/entities.md is not what the models say now: run `make docs` and commit it"
    )


def test_the_layers_are_drawn_as_they_read_each_other(
    manifest: dict[str, Any],
) -> None:
    def layer(node: dict[str, Any]) -> str:
        kind = {"source": "raw", "seed": "seeds", "snapshot": "snapshots"}
        if node["resource_type"] in kind:
            return kind[node["resource_type"]]
        layer, subject = node["fqn"][1:3]
        return (
            ("core" if subject == "core" else "subjects") if layer == "marts" else layer
        )

    nodes = manifest["nodes"] | manifest["sources"]
    read = {
        (layer(nodes[parent]), layer(node))
        for node in nodes.values()
        if node["resource_type"] in {"model", "snapshot"}
        for parent in node["depends_on"]["nodes"]
    }
    page = (PROJECT / "docs/model.md").read_text(encoding="utf-8")
    drawn = re.findall(r"^ {4}(\w+)\S* --> (\w+)", page, re.MULTILINE)
    assert len(drawn) > 5
    assert set(drawn) == {pair for pair in read if pair[0] != pair[1]}
    # Leave snapshots out: they record several layers, and the star reads one of them.
    before: dict[str, set[str]] = {}
    for parent, child in drawn:
        if "snapshots" not in {parent, child}:
            before.setdefault(child, set()).add(parent)
    TopologicalSorter(before).prepare()


def node(name: str, subject: str, **columns: str) -> dict[str, Any]:
    """Return a model of the marts as in a manifest; `!` marks a type as not null."""
    return {
        "resource_type": "model",
        "name": name,
        "alias": name,
        "fqn": ["reelhouse", "marts", subject, name],
        "columns": {
            column: {
                "data_type": data_type.rstrip("!"),
                "constraints": [{"type": "not_null"}] if "!" in data_type else [],
            }
            for column, data_type in columns.items()
        },
    }


def check(model: str, name: str, column: str | None, **more: Any) -> dict[str, Any]:
    """Return a data test of a model as in a manifest."""
    return {
        "resource_type": "test",
        "attached_node": f"model.reelhouse.{model}",
        "column_name": column,
        "test_metadata": {"name": name, "kwargs": more},
        "depends_on": {"nodes": ["model.reelhouse.dim_a"]},
        "config": {"where": more.pop("where", None)},
    }


def manifest_with(nodes: dict[str, Any]) -> dict[str, Any]:
    return {"nodes": {name: each | {"unique_id": name} for name, each in nodes.items()}}


def test_a_version_is_a_table_of_its_own() -> None:
    old, new = (
        node("dim_a", "core", a_id="bigint") | {"alias": alias}
        for alias in ("dim_a", "dim_a_v2")
    )
    child = node("mart_b", "beta", a_id="bigint")
    to_new = {"to": "ref('dim_a', v=2)", "field": "a_id"}
    relation = check("mart_b", "relationships", "a_id", **to_new)
    relation["depends_on"]["nodes"] = ["model.reelhouse.dim_a.v2"]
    nodes = {
        "model.reelhouse.dim_a.v1": old,
        "model.reelhouse.dim_a.v2": new,
        "model.reelhouse.mart_b": child,
        "test.1": relation,
        "test.2": check("dim_a.v1", "unique", "a_id"),
        "test.3": check("dim_a.v2", "unique", "a_id"),
        "test.4": check("mart_b", "unique", "a_id"),
    }
    text = page_of(manifest_with(nodes))
    assert re.findall(r"^ +(\w+) \{", text, re.M) == ["dim_a", "dim_a_v2", "mart_b"]
    assert "    dim_a_v2 |o--o| mart_b : a_id\n" in text


# --- descriptions


def described_parts(manifest: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Yield everything that dbt lets a person describe, with its description.

    Descriptions of tests are read from their files: dbt forgets the description of a
    test when a model that the test reads is parsed again.
    """
    of_tests = {
        each["name"]: each["description"]
        for file in (PROJECT / "tests/data_tests").rglob("*.yml")
        for each in yaml.safe_load(file.read_text(encoding="utf-8"))["data_tests"]
    }
    entries = [
        *(manifest["nodes"] | manifest["sources"]).values(),
        *manifest["unit_tests"].values(),
        *manifest["exposures"].values(),
    ]
    for entry in entries:
        kind, name = entry["resource_type"], entry["name"]
        # Hooks cannot be described; a generic test is described as a macro.
        if kind != "operation" and not entry.get("test_metadata"):
            is_test = kind == "test"
            said = of_tests.get(name) if is_test else entry["description"]
            yield f"{kind} {name}", said
            for column in entry.get("columns", {}).values():
                yield f"{kind} {name}.{column['name']}", column["description"]


def test_everything_is_described(manifest: dict[str, Any]) -> None:
    parts = list(described_parts(manifest))
    assert len(parts) > 100
    short = [part for part, said in parts if len((said or "").strip()) < 10]
    assert short == []


def test_the_overview_leads_to_models_that_there_are(manifest: dict[str, Any]) -> None:
    overview = manifest["docs"]["doc.reelhouse.__overview__"]["block_contents"]
    links = re.findall(r"\[(\w+)\]\(#!/model/(model\.reelhouse\.\w+)\)", overview)
    assert len(links) == overview.count("](") > 3
    for name, unique_id in links:
        assert manifest["nodes"][unique_id]["name"] == name


# --- names elsewhere


def test_names_for_those_who_come_from_elsewhere_are_those_of_the_tree(
    manifest: dict[str, Any],
) -> None:
    there = {
        macro["name"].removeprefix("test_")
        for macro in manifest["macros"].values()
        if macro["package_name"] == "reelhouse"
    }
    for kind, prefix in (("nodes", ""), ("sources", "raw.")):
        for entry in manifest[kind].values():
            name = prefix + entry["name"]
            there |= {name, *(f"{name}.{each}" for each in entry.get("columns", {}))}
    page = (PROJECT / "docs/names.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `.*?\| (.*?) \|", page, re.MULTILINE)
    named = [each for here in rows for each in re.findall(r"`([^`]+)`", here)]
    assert len(named) > 50
    assert [each for each in named if each not in there] == []
