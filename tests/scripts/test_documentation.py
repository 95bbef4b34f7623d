"""The documentation is what the tree says: relations drawn, everything described."""

from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

import pytest
import yaml
from tests.delivery import unbuilt

from reelhouse.settings import PROJECT
from reelhouse.transform.build import manifest_of
from tools.diagram import PAGE, page_of

MARTS = sorted((PROJECT / "models/marts").rglob("*.yml"))

# A line of a diagram, in the grammar that every version of Mermaid since 10 reads.
ATTRIBUTE = re.compile(
    r' {8}[a-z]+ [a-z][a-z0-9_]*( (PK|UK|FK|PK, FK|UK, FK))?( "[a-z]+\(\d+,\d+\)")?'
)
EDGE = re.compile(
    r" {4}(?P<parent>[a-z_]+) (?P<ends>(\|\||\|o)--(o\||o\{)) (?P<child>[a-z_]+) : "
    r'"?(?P<column>[a-z_]+)( where (?P<condition>[^"]+)")?'
)


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    """The manifest that dbt makes of the tree."""
    return manifest_of(unbuilt())


# --- the entity diagram


def drawn(page: str) -> list[re.Match[str]]:
    """The lines between boxes, of all diagrams of a page."""
    return [found for line in page.splitlines() if (found := EDGE.fullmatch(line))]


def test_the_diagram_is_that_of_the_tree(manifest: dict[str, Any]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(manifest), (
        "docs/entities.md is not what the models say now: run `make docs` and commit it"
    )


def test_the_diagram_draws_every_tested_relation_and_nothing_else() -> None:
    tested = []
    for path in MARTS:
        (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
        for column in model["columns"]:
            for test in column.get("data_tests", []):
                if isinstance(test, dict) and "relationships" in test:
                    arguments = test["relationships"]["arguments"]
                    parent = re.fullmatch(r"ref\('(\w+)'\)", arguments["to"])
                    assert parent
                    where = test["relationships"].get("config", {}).get("where")
                    tested.append((parent[1], model["name"], column["name"], where))
    assert len(tested) >= 30
    edges = drawn(PAGE.read_text(encoding="utf-8"))
    assert sorted(map(str, tested)) == sorted(
        str(edge.group("parent", "child", "column", "condition")) for edge in edges
    )


def test_the_diagram_has_every_published_table_once_with_its_columns() -> None:
    page = PAGE.read_text(encoding="utf-8")
    boxes = re.findall(r"^ {4}(\w+) \{\n(.*?)^ {4}\}", page, re.MULTILINE | re.DOTALL)
    assert sorted(name for name, _ in boxes) == sorted(path.stem for path in MARTS)
    columns = {
        name: [tuple(line.split()[:2]) for line in lines.splitlines()]
        for name, lines in boxes
    }
    for path in MARTS:
        (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
        assert columns[path.stem] == [
            (column["data_type"].partition("(")[0], column["name"])
            for column in model["columns"]
        ]


def test_the_diagram_is_in_plain_mermaid() -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```mermaid\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == len(list((PROJECT / "models/marts").iterdir()))
    for block in blocks:
        first, *lines = block.splitlines()
        assert first == "erDiagram"
        for line in lines:
            assert (
                re.fullmatch(r" {4}[a-z_]+ \{| {4}\}", line)
                or ATTRIBUTE.fullmatch(line)
                or EDGE.fullmatch(line)
            ), line


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
    # Snapshots record what several layers hold, and the star reads one of them.
    before: dict[str, set[str]] = {}
    for parent, child in drawn:
        if "snapshots" not in {parent, child}:
            before.setdefault(child, set()).add(parent)
    TopologicalSorter(before).prepare()


def node(name: str, subject: str, **columns: str) -> dict[str, Any]:
    """A model of the marts in a manifest; a type with `!` may not be null."""
    return {
        "resource_type": "model",
        "name": name,
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
    """A data test of a model in a manifest."""
    return {
        "resource_type": "test",
        "attached_node": f"model.reelhouse.{model}",
        "column_name": column,
        "test_metadata": {"name": name, "kwargs": more},
        "config": {"where": more.pop("where", None)},
    }


def test_marks_and_ends_of_lines_follow_the_tests() -> None:
    models = [
        node("mart_b", "beta", a_id="bigint!", b_id="bigint", part="decimal(6,5)"),
        node("dim_a", "core", a_id="bigint", other_id="varchar", kind="varchar"),
        node("mart_c", "beta", a_id="bigint", kind="varchar!"),
    ]
    to_a = {"to": "ref('dim_a')", "field": "a_id"}
    tests = [
        check("mart_b", "relationships", "b_id", **to_a),
        check("mart_b", "relationships", "a_id", **to_a),
        check("mart_b", "unique", "b_id"),
        check("mart_b", "unique_combination", None, columns=["a_id", "part"]),
        check("dim_a", "unique", "other_id"),
        check("dim_a", "unique", "a_id"),
        check("mart_c", "unique_combination", None, columns=["a_id"]),
        check("mart_c", "relationships", "a_id", **to_a),
        check("mart_c", "relationships", "kind", **to_a, where="kind != 'x'"),
        check("mart_c", "accepted_values", "kind", values=["x"]),
        {"resource_type": "test", "name": "assert_all_is_well"},
    ]
    nodes = {f"model.reelhouse.{each['name']}": each for each in models}
    nodes |= {f"test.{number}": test for number, test in enumerate(tests)}
    text = page_of({"nodes": nodes})
    assert text[text.index("## ") :] == (
        "## Core: the star\n\n"
        "```mermaid\n"
        "erDiagram\n"
        "    dim_a {\n"
        "        bigint a_id PK\n"
        "        varchar other_id UK\n"
        "        varchar kind\n"
        "    }\n"
        "```\n\n"
        "## Beta\n\n"
        "```mermaid\n"
        "erDiagram\n"
        "    mart_b {\n"
        "        bigint a_id PK, FK\n"
        "        bigint b_id UK, FK\n"
        '        decimal part PK "decimal(6,5)"\n'
        "    }\n"
        "    mart_c {\n"
        "        bigint a_id PK, FK\n"
        "        varchar kind FK\n"
        "    }\n"
        "    dim_a ||--o{ mart_b : a_id\n"
        "    dim_a |o--o| mart_b : b_id\n"
        "    dim_a ||--o| mart_c : a_id\n"
        "    dim_a |o--o{ mart_c : \"kind where kind != 'x'\"\n"
        "```\n"
    )


# --- descriptions


def described_parts(manifest: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Everything that dbt lets a person describe, with its description."""
    entries = [
        *(manifest["nodes"] | manifest["sources"]).values(),
        *manifest["unit_tests"].values(),
        *manifest["exposures"].values(),
    ]
    for entry in entries:
        kind, name = entry["resource_type"], entry["name"]
        # Hooks cannot be described, and a generic test is, as a macro.
        if kind != "operation" and not entry.get("test_metadata"):
            yield f"{kind} {name}", entry["description"]
            for column in entry.get("columns", {}).values():
                yield f"{kind} {name}.{column['name']}", column["description"]
    for macro in manifest["macros"].values():
        if macro["package_name"] == "reelhouse":
            yield f"macro {macro['name']}", macro["description"]
            documented = {each["name"]: each for each in macro["arguments"]}
            for name in arguments_of(macro["macro_sql"]):
                said = documented.pop(name, {}).get("description")
                yield f"macro {macro['name']}({name})", said
            assert not documented, f"{macro['name']} has no argument {documented}"


def arguments_of(macro: str) -> list[str]:
    """The arguments that the first line of a macro or a generic test names."""
    signature = re.search(
        r"\{%-?\s*(?:macro|test)\s+\w+\s*\((.*?)\)\s*-?%\}", macro, re.S
    )
    assert signature, macro
    return [part.partition("=")[0].strip() for part in signature[1].split(",") if part]


def test_everything_is_described(manifest: dict[str, Any]) -> None:
    parts = dict(described_parts(manifest))
    for kind in ("model", "snapshot", "seed", "source", "analysis", "test", "macro"):
        assert any(part.startswith(f"{kind} ") for part in parts), kind
    for part, description in parts.items():
        words = (description or "").strip()
        assert len(words) >= 10, f"{part} has no description in its yml file"


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
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    entries = {
        each["name"]: each
        for each in manifest["nodes"].values()
        if each["resource_type"] != "operation"
    }
    entries |= {f"raw.{each['name']}": each for each in manifest["sources"].values()}
    things = set(entries)
    things |= {
        macro["name"].removeprefix("test_")
        for macro in manifest["macros"].values()
        if macro["package_name"] == "reelhouse"
    }
    columns = set()
    for name, entry in entries.items():
        columns |= set(entry.get("columns", {}))
        things |= {f"{name}.{column}" for column in entry.get("columns", {})}
    ours = things | columns | set(project["vars"])

    page = (PROJECT / "docs/names.md").read_text(encoding="utf-8")
    theirs: list[str] = []
    for line in page.splitlines():
        text = line
        if line.startswith("| `"):
            _, there, here, difference, _ = line.split("|")
            theirs += re.findall(r"`([^`]+)`", there)
            assert set(re.findall(r"`([^`]+)`", here) or [here]) <= things, line
            assert difference.strip(), line
            text = here + difference
        for name in re.findall(r"`([^`]+)`", text):
            assert name in ours, f"docs/names.md speaks of {name}, which is not here"
    assert len(theirs) == len(set(theirs)) > 50
