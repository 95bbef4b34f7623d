"""The dbt tree keeps its rules, as far as files show; see dbt-bouncer.yml too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reelhouse.settings import PROJECT
from reelhouse.transform.build import PARSED_WITH

QUERIES = sorted(
    path
    for folder in ("models", "tests/data_tests", "snapshots", "analyses")
    for path in (PROJECT / folder).rglob("*.sql")
)
MODELS = sorted((PROJECT / "models").rglob("*.sql"))
MACROS = sorted((PROJECT / "macros").rglob("*.sql"))
TREE = sorted(
    path
    for folder in ("models", "tests/data_tests", "snapshots", "analyses", "seeds")
    for path in (PROJECT / folder).rglob("*")
    if path.suffix in {".sql", ".yml", ".md", ".csv"}
)


def names(path: Path) -> str:
    """A path below the project, to tell test cases apart."""
    return str(path.relative_to(PROJECT))


def code(path: Path) -> str:
    """A query without its comments, quoted texts and calls of macros."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", " ", text, flags=re.DOTALL)
    return re.sub(r"'[^']*'|--[^\n]*", " ", text)


def properties(path: Path) -> dict[str, Any]:
    """What the yml file beside a model says about it."""
    described = yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8"))
    (model,) = described["models"]
    assert model["name"] == path.stem
    return dict(model)


def data_tests_of(entry: dict[str, Any]) -> set[str]:
    """Names of the data tests of a model or a column."""
    return {
        test if isinstance(test, str) else next(iter(test))
        for test in entry.get("data_tests", [])
    }


def test_there_are_files_to_look_at() -> None:
    assert MODELS
    assert len(QUERIES) > len(MODELS)
    assert MACROS


@pytest.mark.parametrize("path", TREE, ids=names)
def test_no_file_of_the_tree_names_an_engine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"duckdb|snowflake|\btarget\.|adapter\.", text, re.IGNORECASE)


@pytest.mark.parametrize("path", QUERIES, ids=names)
def test_queries_divide_and_average_through_macros(path: Path) -> None:
    assert not re.search(r"/|\b(avg|mean|stddev\w*|var\w*)\s*\(", code(path))


@pytest.mark.parametrize("path", QUERIES, ids=names)
def test_queries_read_no_clock(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(
        r"\b(now|today|getdate|sysdate|current_(date|time|timestamp)|run_started_at|modules)\b",
        text,
        re.IGNORECASE,
    )


@pytest.mark.parametrize("path", QUERIES, ids=names)
def test_queries_end_with_their_last_step(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"select \* from [a-z_]+", lines[-1])
    assert lines[-2] == ""


@pytest.mark.parametrize("path", QUERIES, ids=names)
def test_queries_hold_no_backslash(path: Path) -> None:
    assert "\\" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", QUERIES, ids=names)
def test_queries_read_relations_in_import_steps_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    body = re.sub(r"\{\{\s*config\(.*?\n\}\}", "", text, flags=re.DOTALL)
    found = re.findall(r"^.*\b(?:ref|source)\(.*$", body, re.MULTILINE)
    assert found, "it reads nothing"
    # One model counts every source and joins none.
    if path.stem == "stg_reelhouse__live_rows":
        return
    for line in found:
        assert re.fullmatch(
            r" +select \* from \{\{ (ref|source|as_of)\(.*\) \}\}", line
        )


@pytest.mark.parametrize("path", MODELS, ids=names)
def test_models_are_described_beside_them(path: Path) -> None:
    model = properties(path)
    assert model["columns"]
    for column in model["columns"]:
        assert column.get("description"), column["name"]
        assert column.get("data_type"), column["name"]
        assert column["description"].strip() != column["name"]


@pytest.mark.parametrize(
    "path", [path for path in MODELS if "marts" in path.parts], ids=names
)
def test_marts_have_a_tested_key(path: Path) -> None:
    assert "unique_combination" in data_tests_of(properties(path))


@pytest.mark.parametrize("path", MACROS, ids=names)
def test_macros_dispatch_in_one_folder_to_both_engines(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.parent.name != "cross_db":
        assert "adapter.dispatch" not in text
        assert not re.search(r"duckdb|snowflake", text)
        return
    found = set(re.findall(r"\{% macro (\w+)\(", text))
    assert found == {path.stem, f"duckdb__{path.stem}", f"snowflake__{path.stem}"}


@pytest.mark.parametrize("path", MACROS, ids=names)
def test_macros_fit_the_line(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("path", MACROS, ids=names)
def test_macros_are_used(path: Path) -> None:
    # dbt calls these; the last one is for Python.
    if path.stem in {
        "generate_schema_name",
        "should_full_refresh",
        "snapshot_get_time",
        "describe_tree",
    }:
        return
    elsewhere = [*QUERIES, *MACROS, PROJECT / "dbt_project.yml"]
    if path.parent.name == "generic_tests":
        elsewhere = [*(PROJECT / "models").rglob("*.yml")]
    assert any(
        re.search(rf"\b{path.stem}\b", other.read_text(encoding="utf-8"))
        for other in elsewhere
        if other != path
    )


def test_a_parse_holds_for_every_warehouse_and_account() -> None:
    profile = (PROJECT / "profiles.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"env_var\('(\w+)'", profile))
    assert asked - PARSED_WITH.keys() == {"DBT_TARGET", "SNOWFLAKE_DATABASE"}
    assert PARSED_WITH.keys() - asked == set()
