"""What dbt ran in its last build, statement by statement, as it wrote it down."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from reelhouse.build import manifest_of
from reelhouse.settings import Settings

BUILT = ("seed", "model", "snapshot")


@dataclass(frozen=True)
class Statement:
    """The statement that made a seed, model or snapshot, or that tested something."""

    name: str
    kind: str
    sql: str

    @property
    def is_test(self) -> bool:
        return self.kind == "test"


def built_statements(settings: Settings) -> list[Statement]:
    """The statements of the last build of a warehouse, parents before their children.

    They are as dbt ran them, but that a table is made under its own name at once, and
    not beside another to be swapped in. What a build asks and notes besides, hooks and
    comments among it, is left out. Those of a first build run on raw tables alone.
    """
    manifest = manifest_of(settings)
    nodes, parents = manifest["nodes"], manifest["parent_map"]
    folder = settings.warehouse / "dbt" / settings.target / "run"
    order = TopologicalSorter({name: parents[name] for name in sorted(nodes)})
    statements = []
    for name in order.static_order():
        node = nodes.get(name)
        if node and node["resource_type"] in (*BUILT, "test"):
            path = folder / node["package_name"] / _place(node)
            # An ephemeral model is a part of others.
            if path.is_file():
                sql = path.read_text(encoding="utf-8").replace("__dbt_tmp", "")
                kind = str(node["resource_type"])
                statements.append(Statement(node["name"], kind, sql))
    return statements


def write_script(settings: Settings, to: Path) -> None:
    """Write the statements of the last build to a file, for `read_script`."""
    nodes = manifest_of(settings)["nodes"].values()
    schemas = {node["schema"] for node in nodes if node["resource_type"] in BUILT}
    statements = [
        *(Statement(name, "schema", f"create schema {name}") for name in schemas),
        *built_statements(settings),
    ]
    to.write_text(json.dumps([asdict(each) for each in statements]), encoding="utf-8")


def read_script(path: Path) -> list[Statement]:
    """The statements of a file, those that make the schemas first."""
    return [Statement(**each) for each in json.loads(path.read_text(encoding="utf-8"))]


def _place(node: dict[str, Any]) -> Path:
    """Where dbt writes a node: below its file, if that holds several."""
    path, file = Path(node["path"]), Path(node["original_file_path"])
    return file if path.name == file.name else file / path
