"""The statements that dbt ran in its last build, from the files that it wrote."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from reelhouse.engines.duckdb.load import open_warehouse
from reelhouse.settings import Settings
from reelhouse.transform.build import manifest_of

BUILT = ("seed", "model", "snapshot")


@dataclass(frozen=True)
class Statement:
    """The statement that made a seed, model or snapshot, or that tested something.

    `subject` is the node that was made or, for a test in a yml file, the one tested.
    """

    name: str
    kind: str
    subject: str
    sql: str


def built_statements(settings: Settings) -> list[Statement]:
    """The statements of the last build of a warehouse, parents before their children.

    They are as dbt ran them, except that a table is created under its own name, not
    under a temporary name to be swapped in. All else that a build runs, such as hooks
    and comments, is left out. The statements of a first build need only raw tables; the
    first ones create the schemas for the others.
    """
    manifest = manifest_of(settings)
    nodes, parents = manifest["nodes"], manifest["parent_map"]
    folder = settings.warehouse / "dbt" / settings.target / "run"
    made = {node["schema"] for node in nodes.values() if node["resource_type"] in BUILT}
    statements = [
        Statement(name, "schema", name, f"create schema {name}")
        for name in sorted(made)
    ]
    order = TopologicalSorter({name: parents[name] for name in sorted(nodes)})
    for name in order.static_order():
        node = nodes.get(name)
        if node and node["resource_type"] in (*BUILT, "test"):
            path = folder / node["package_name"] / _place(node)
            # An ephemeral model has no file: it is a part of other statements.
            if path.is_file():
                sql = path.read_text(encoding="utf-8").replace("__dbt_tmp", "")
                subject = nodes.get(node.get("attached_node"), node)["name"]
                statements.append(
                    Statement(node["name"], node["resource_type"], subject, sql)
                )
    return statements


def raw_alone(settings: Settings, folder: Path) -> Path:
    """Copy the warehouse file to a new folder, raw tables only; return its path."""
    folder.mkdir(parents=True)
    database = folder / settings.database.name
    shutil.copyfile(settings.database, database)
    with open_warehouse(database) as warehouse:
        warehouse.keep_raw_alone()
    return database


def _place(node: dict[str, Any]) -> Path:
    """Return where dbt writes a node: below its file's path, if that has several."""
    path, file = Path(node["path"]), Path(node["original_file_path"])
    return file if path.name == file.name else file / path
