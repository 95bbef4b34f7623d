"""Rules of the dbt tree that dbt-bouncer and sqlfluff do not check."""

from __future__ import annotations

import re
from pathlib import Path

from reelhouse.transform.build import PARSED_WITH, PARSED_WITHOUT

PROJECT = Path(__file__).resolve().parents[2]
FOLDERS = ("models", "tests/data_tests", "snapshots", "analyses", "seeds")
# The texts of the tree by path below the project; macros are separate.
TREE = {
    path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8")
    for folder in FOLDERS
    for path in sorted((PROJECT / folder).rglob("*"))
    if path.suffix in {".sql", ".yml", ".md", ".csv"}
}
QUERIES = {name: text for name, text in TREE.items() if name.endswith(".sql")}
MACROS = {
    path: path.read_text(encoding="utf-8")
    for path in sorted((PROJECT / "macros").rglob("*.sql"))
}
CLOCK = (
    r"now|today|getdate|sysdate|current_(date|time|timestamp)|run_started_at|modules"
)
# Macros that dbt or Python calls.
CALLED_FROM_OUTSIDE = {
    *("generate_schema_name", "should_full_refresh", "snapshot_get_time"),
    *("describe_tree", "snapshot_hash_arguments"),
}
# This model counts every source and joins none.
COUNTS = "models/staging/reelhouse/stg_reelhouse__live_rows.sql"


def having(pattern: str, texts: dict[str, str]) -> list[str]:
    return [name for name, text in texts.items() if re.search(pattern, text, re.I)]


def code(text: str) -> str:
    """Return a query without its comments, string literals and calls of macros."""
    text = re.sub(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", " ", text, flags=re.DOTALL)
    return re.sub(r"'[^']*'|--[^\n]*", " ", text)


def test_no_file_of_the_tree_names_an_engine() -> None:
    assert QUERIES
    assert having(r"duckdb|snowflake|\btarget\.|adapter\.", TREE) == []


def test_queries_divide_and_average_through_macros() -> None:
    bare = {name: code(text) for name, text in QUERIES.items()}
    assert having(r"/|\b(avg|mean|stddev\w*|var\w*)\s*\(", bare) == []


def test_queries_read_no_clock() -> None:
    assert having(rf"\b({CLOCK})\b", QUERIES) == []


def test_queries_import_first_and_end_with_their_last_step() -> None:
    import_step = re.compile(r" +select \* from \{\{ (ref|source|as_of)\(.*\) \}\}")
    wrong = []
    for name, text in QUERIES.items():
        body = re.sub(r"\{\{\s*config\(.*?\n\}\}", "", text, flags=re.DOTALL)
        reading = re.findall(r"^.*\b(?:ref|source)\(.*$", body, re.MULTILINE)
        imports = name == COUNTS or all(map(import_step.fullmatch, reading))
        if not (reading and imports and re.search(r"\n\nselect \* from \w+\n$", text)):
            wrong.append(name)
    assert wrong == []


def test_macros_speak_to_an_engine_in_one_folder() -> None:
    others = {
        path.name: text
        for path, text in MACROS.items()
        if path.parent.name != "cross_db"
    }
    assert having(r"duckdb|snowflake|adapter\.dispatch", others) == []


def test_macros_are_used() -> None:
    project = (PROJECT / "dbt_project.yml").read_text(encoding="utf-8")
    declared = [text for name, text in TREE.items() if name.endswith(".yml")]

    def is_used(path: Path) -> bool:
        elsewhere = [*QUERIES.values(), project]
        elsewhere += [text for other, text in MACROS.items() if other != path]
        if path.parent.name == "generic_tests":
            elsewhere = declared
        return any(re.search(rf"\b{path.stem}\b", text) for text in elsewhere)

    unused = {path.stem for path in MACROS if not is_used(path)}
    assert unused - CALLED_FROM_OUTSIDE == set()


def test_a_parse_holds_for_every_warehouse_and_account() -> None:
    profile = (PROJECT / "profiles.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"env_var\('(\w+)'", profile))
    left = {name for name in asked if not name.startswith(PARSED_WITHOUT)}
    assert left == {"DBT_TARGET"}
    assert PARSED_WITH.keys() - asked == set()
