"""Power BI: a project over the published tables in Snowflake, made from the dbt tree.

Tables, descriptions, types and relations come from the dbt manifest, measures from
`metrics`. The folder `project` has the files of a project as Jinja templates. The same
tree gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import NAMESPACE_URL, uuid5

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reelhouse.errors import ReelhouseError
from reelhouse.powerbi.model import TYPES, Model, dax, model_of
from reelhouse.powerbi.report import report_files
from reelhouse.serving.folders import written_whole
from reelhouse.serving.metrics import metrics
from reelhouse.serving.query import ask
from reelhouse.settings import Settings
from reelhouse.transform.build import manifest_of

PROJECT = Path(__file__).with_name("project")
# The template of a table; each table gets a file.
TABLE = "table.tmdl"
PAGES = "Reelhouse.Report/definition/pages"
# Lists the files in the folder, and so what the next export may replace.
CONTENTS = "reelhouse.json"

Columns = set[tuple[str, str]]


@dataclass(frozen=True)
class Project:
    """What was written."""

    folder: Path
    tables: int
    relations: int
    measures: int


def write_project(settings: Settings, folder: Path) -> Project:
    """Write the Power BI project into a folder, after its checks.

    Raises ReelhouseError if a column of the models is not published in the target, or
    if the folder holds anything but an unchanged earlier project.
    """
    with TemporaryDirectory() as parsing:
        # Names and types are the same for every target, and dev needs no variables.
        manifest = manifest_of(replace(settings, target="dev", warehouse=Path(parsing)))
    model = model_of(manifest, list(metrics().values()))
    _check_published(model, published_columns(settings))
    files = project_files(model)
    with written_whole(folder, CONTENTS) as made:
        for name, text in (files | {CONTENTS: _contents(files)}).items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
    return Project(
        folder, len(model.tables), len(model.relationships), len(model.metrics)
    )


def project_files(model: Model) -> dict[str, str]:
    """Every file of the project by its path below the folder, sorted by path.

    Raises ReelhouseError for a page that shows a field that is not published.
    """
    jinja = Environment(
        loader=FileSystemLoader(PROJECT),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    jinja.globals |= {"model": model, "types": TYPES, "dax": dax, "tag": _tag}
    jinja.filters["one_line"] = lambda text: " ".join(text.split())
    files = {}
    for name in jinja.list_templates():
        template = jinja.get_template(name)
        if name.endswith(TABLE):
            for table, node in model.tables.items():
                path = name.replace(TABLE, f"{table}.tmdl")
                files[path] = template.render(table=table, node=node)
        else:
            files[name] = template.render()
    files |= {f"{PAGES}/{path}": text for path, text in report_files(model).items()}
    return dict(sorted(files.items()))


def _tag(*parts: str) -> str:
    """Return an identifier that is always the same for the same parts."""
    return str(uuid5(NAMESPACE_URL, "/".join(("reelhouse", "powerbi", *parts))))


def published_columns(settings: Settings) -> Columns:
    """Return (table, column) of each column in the target's SERVING, in lower case."""
    _, rows = ask(
        settings,
        "select lower(table_name), lower(column_name) "
        "from information_schema.columns "
        "where table_schema in ('serving', 'SERVING')",
    )
    return {(str(table), str(column)) for table, column in rows}


def _check_published(model: Model, columns: Columns) -> None:
    missing = [
        f"{table}.{column}"
        for table, node in model.tables.items()
        for column in node["columns"]
        if (table, column) not in columns
    ]
    if missing:
        more = ", …" if len(missing) > 3 else ""
        raise ReelhouseError(
            f"The models have columns that are not published "
            f"({', '.join(missing[:3])}{more}): publish them with `reelhouse run`."
        )


def _contents(files: dict[str, str]) -> str:
    listed = [
        {"file": name, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        for name, text in files.items()
    ]
    return json.dumps({"files": listed}, indent=2) + "\n"
