"""dbt alone: the script floor.sql as a plain project for dbt-duckdb.

The script's tables become models; those of its first step become views over the files.
Tests check that each key is unique and not null, and that the users, movies and tags
of facts exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import yaml

from reelhouse.engines.duckdb.connection import attached, literal
from reelhouse.settings import project
from tools.bench.contenders import steps_of_floor
from tools.bench.measure import run_contender

DIMENSIONS = {
    "user_id": "dim_users",
    "movie_id": "dim_movies",
    "tag_id": "dim_genome_tags",
}
PROJECT = {
    "name": "plain",
    "profile": "plain",
    "flags": {"send_anonymous_usage_stats": False},
}
SCHEMA_AS_NAMED = """\
{% macro generate_schema_name(name, node) %}{{ name }}{% endmacro %}
"""


def write_project(
    folder: Path, source: Path, published: Path, limit: str | None
) -> None:
    """Write a project over the files of a source, and let dbt parse it.

    The keys of tables are read from a published file; `limit` is DuckDB's memory limit.
    """
    output = {"type": "duckdb", "path": str(folder / "plain.duckdb")}
    settings = {"settings": {"memory_limit": limit}} if limit else {}
    models = dict(_models(source))
    files = {
        "dbt_project.yml": yaml.safe_dump(PROJECT),
        "profiles.yml": yaml.safe_dump(
            {"plain": {"outputs": {"dev": output | settings}}}
        ),
        "macros/generate_schema_name.sql": SCHEMA_AS_NAMED,
        **{f"models/{name}.sql": sql for name, sql in models.items()},
    }
    described = []
    for table, keys in _keys(published):
        if (model := f"serving_{table}") in models:
            described.append({"name": model, "columns": _columns(model, keys)})
            if len(keys) > 1:
                key = ", ".join(keys)
                files[f"tests/{model}_has_each_key_once.sql"] = (
                    f"select {key} from {{{{ ref('{model}') }}}}\n"
                    f"group by {key} having count(*) > 1\n"
                )
    files["models/models.yml"] = yaml.safe_dump({"models": described})
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    run_contender("parse", {"REELHOUSE_WAREHOUSE": str(folder)})


def _models(source: Path) -> Iterator[tuple[str, str]]:
    """The models by name, as text."""
    for step, statements in steps_of_floor():
        for kind, schema, table, sql in re.findall(
            r"^create (table|view) (\w+)\.(\w+) as\n(.*?);$",
            statements,
            flags=re.MULTILINE | re.DOTALL,
        ):
            made = "view" if step == "load" else kind
            config = f"materialized='{made}', schema='{schema}', alias='{table}'"
            sql = re.sub(r"\b(raw|work|serving)\.(\w+)", r"{{ ref('\1_\2') }}", sql)
            for folder, path in (("files", source), ("seeds", project() / "seeds")):
                sql = sql.replace(f"getvariable('{folder}')", literal(path))
            yield f"{schema}_{table}", f"{{{{ config({config}) }}}}\n{sql}\n"


def _columns(model: str, keys: list[str]) -> list[dict[str, object]]:
    """The columns of a key, with their tests."""
    columns: list[dict[str, object]] = []
    for key in keys:
        tests: list[object] = ["not_null"]
        if [key] == keys:
            tests.append("unique")
        elif key in DIMENSIONS and "_mart_" not in model:
            to = f"ref('serving_{DIMENSIONS[key]}')"
            tests.append({"relationships": {"arguments": {"to": to, "field": key}}})
        columns.append({"name": key, "data_tests": tests})
    return columns


def _keys(published: Path) -> list[tuple[str, list[str]]]:
    """The columns of each published table's key."""
    with closing(attached(published)) as connection:
        return connection.execute(
            "select name, string_split(key_columns, ', ') "
            "from published.serving.published_tables where kind = 'table'"
        ).fetchall()
