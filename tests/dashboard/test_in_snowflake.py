"""The app for Snowflake: it is complete, and needs only what its runtime has."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from tests.project import PROJECT

# Modules that have no package in that runtime, or that it must not use.
ABSENT = ["boto3", "dbt", "duckdb", "fakesnow", "moto", "reelhouse.cli"]
IMPORTS = """
import json, runpy, sys
for name in {absent}:
    sys.modules[name] = None
from unittest import mock
import reelhouse_place  # puts the app's own folder first
import reelhouse.dashboard.app as app
with mock.patch.object(app, "show") as show:
    runpy.run_path("streamlit_app.py")
show.assert_called_once()
from reelhouse.serving.metrics import metrics
print(json.dumps([app.__file__, len(metrics())]))
"""


def deployed(folder: Path) -> Path:
    """Copy the files of snowflake.yml to where a deployment puts them."""
    definition = yaml.safe_load((PROJECT / "snowflake.yml").read_text(encoding="utf-8"))
    for each in definition["entities"]["dashboard"]["artifacts"]:
        source, to = PROJECT / each["src"], folder / each["dest"]
        if each["dest"].endswith("/"):
            to = to / source.name
        to.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, to)
        else:
            shutil.copyfile(source, to)
    return folder


def test_the_app_begins_at_the_top_where_the_tool_looks_for_it() -> None:
    definition = yaml.safe_load((PROJECT / "snowflake.yml").read_text(encoding="utf-8"))
    app = definition["entities"]["dashboard"]
    assert app["main_file"] in {each["src"] for each in app["artifacts"]}
    assert (PROJECT / app["main_file"]).is_file()


@pytest.mark.long
def test_it_needs_nothing_that_it_does_not_bring(tmp_path: Path) -> None:
    deployed(tmp_path)
    (tmp_path / "reelhouse_place.py").write_text(
        f"import sys\nsys.path.insert(0, {str(tmp_path / 'scripts')!r})\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTS.format(absent=ABSENT)],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    where, figures = json.loads(ran.stdout.splitlines()[-1])
    assert Path(where).is_relative_to(tmp_path)
    assert figures > 5


def environment() -> dict[str, str]:
    """Return the packages of the runtime with their versions, empty if any will do."""
    path = PROJECT / "scripts/snowflake/dashboard/environment.yml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content["channels"] == ["snowflake"]
    pairs = [each.partition("=") for each in content["dependencies"]]
    return {name: version.removesuffix(".*") for name, _, version in pairs}


def test_its_environment_has_what_it_imports_and_nothing_else(tmp_path: Path) -> None:
    """Imports inside functions are not needed there: DuckDB, and the connector."""
    imported = {
        name.partition(".")[0]
        for path in deployed(tmp_path).rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    packages = {"pyyaml" if name == "yaml" else name for name in imported}
    ours = {"reelhouse", "python"}
    assert packages - sys.stdlib_module_names - ours == environment().keys() - ours


def test_its_versions_are_versions_that_the_project_allows() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    allowed = {
        requirement.name: requirement.specifier
        for requirement in map(
            Requirement,
            [
                *project["dependencies"],
                *project["optional-dependencies"]["dashboard"],
            ],
        )
    } | {"python": SpecifierSet(project["requires-python"])}
    for name, version in environment().items():
        assert name in allowed, name
        assert not version or version in allowed[name], name
