"""Reelhouse in Dagster: the load, each dbt model with its tests, and the publish.

Run `dagster dev -f examples/dagster_reelhouse.py` at the root of the project, in an
environment that has dagster-dbt, dagster-webserver and the project.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetSpec,
    Definitions,
    MaterializeResult,
    asset,
    multi_asset,
)
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets

ROOT = Path(__file__).resolve().parent.parent
PROJECT = DbtProject(project_dir=ROOT, profiles_dir=ROOT)
PROJECT.prepare_if_dev()
SOURCES = json.loads(PROJECT.manifest_path.read_text(encoding="utf-8"))["sources"]


def reelhouse(*command: str) -> None:
    """Run a command of the project; a failure fails the asset."""
    subprocess.run([sys.executable, "-m", "reelhouse", *command], cwd=ROOT, check=True)


@multi_asset(
    specs=[
        AssetSpec(AssetKey([each["source_name"], each["name"]]), group_name="raw")
        for each in SOURCES.values()
    ]
)
def raw() -> Iterator[MaterializeResult]:
    """The raw tables: one load fills all of them."""
    reelhouse("load")
    for each in SOURCES.values():
        yield MaterializeResult(AssetKey([each["source_name"], each["name"]]))


@dbt_assets(manifest=PROJECT.manifest_path)
def tables(context: AssetExecutionContext, dbt: DbtCliResource) -> Iterator[object]:
    """Every seed, snapshot and model, with its tests as checks."""
    yield from dbt.cli(["build"], context=context).stream()


@asset(deps=[tables], group_name="serving")
def published() -> None:
    """The published tables, once all that they are made of is up to date."""
    reelhouse("publish")


defs = Definitions(
    assets=[raw, tables, published],
    resources={"dbt": DbtCliResource(project_dir=PROJECT)},
)
