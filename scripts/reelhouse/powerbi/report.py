"""The report: the pages of report.yml, in Microsoft's PBIR format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from reelhouse.errors import ReelhouseError
from reelhouse.powerbi.model import Model

PAGES = Path(__file__).with_name("report.yml")
# Versions of the format that every Power BI Desktop of the last year reads, or newer.
PBIR = "https://developer.microsoft.com/json-schemas/fabric/item/report/definition/"
WIDTH, HEIGHT, MARGIN, GAP = 1280, 900, 24, 12
# Heights of cards and of slicers.
CARD, SLICER = 90, 70

Visual = dict[str, Any]
Box = tuple[float, float, float, float]


def report_pages() -> dict[str, dict[str, Any]]:
    """The pages of report.yml by their names."""
    return dict(yaml.safe_load(PAGES.read_text(encoding="utf-8")))


def report_files(model: Model) -> dict[str, str]:
    """The files of the pages by their paths below the folder of pages.

    Raises ReelhouseError for a field that the model does not have.
    """
    pages = report_pages()
    order = {"pageOrder": list(pages), "activePageName": next(iter(pages))}
    files = {"pages.json": _as_json("pagesMetadata/1.0.0", order)}
    for name, page in pages.items():
        about = {"name": name, "displayName": page["title"]}
        about |= {"displayOption": "FitToPage", "height": HEIGHT, "width": WIDTH}
        files[f"{name}/page.json"] = _as_json("page/2.0.0", about)
        for index, (visual_name, box, visual) in enumerate(_placed(page)):
            x, y, width, height = map(round, box)
            position = {"x": x, "y": y, "z": index, "width": width, "height": height}
            position["tabOrder"] = index
            shown = {"name": visual_name, "position": position}
            path = f"{name}/visuals/{visual_name}/visual.json"
            shown["visual"] = _visual(model, **visual)
            files[path] = _as_json("visualContainer/2.2.0", shown)
    return files


def _as_json(schema: str, document: dict[str, Any]) -> str:
    whole = {"$schema": f"{PBIR}{schema}/schema.json", **document}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _placed(page: dict[str, Any]) -> Iterator[tuple[str, Box, Visual]]:
    """Name, place (x, y, width, height in pixels) and content of each visual."""
    named = list(page["visuals"].items())
    rows = [named[at : at + 2] for at in range(0, len(named), 2)]
    tall: list[float] = []
    for kind, fixed in (("slicer", SLICER), ("card", CARD)):
        if fields := page.get(f"{kind}s"):
            each = [(field, {kind: "", "Values": [field]}) for field in fields]
            rows.insert(0, [(f"{kind}_{f.split('.')[-1]}", v) for f, v in each])
            tall.insert(0, fixed)
    left = HEIGHT - 2 * MARGIN - sum(tall) - GAP * (len(rows) - 1)
    tall += [left / (len(rows) - len(tall))] * (len(rows) - len(tall))
    top: float = MARGIN
    for row, high in zip(rows, tall, strict=True):
        width = (WIDTH - 2 * MARGIN - GAP * (len(row) - 1)) / len(row)
        for number, (name, visual) in enumerate(row):
            yield name, (MARGIN + number * (width + GAP), top, width, high), visual
        top += high + GAP


def _visual(
    model: Model, *, of: str = "", first: str = "", along: str = "", **about: Any
) -> dict[str, Any]:
    """A visual of report.yml, whose first key is its kind."""
    (kind, title), *roles = about.items()
    query: dict[str, Any] = {
        "queryState": {
            role: {"projections": [_projection(model, of, field) for field in fields]}
            for role, fields in roles
        }
    }
    if first or along:
        field = _projection(model, of, first or along)["field"]
        direction = "Descending" if first else "Ascending"
        query["sortDefinition"] = {"sort": [{"field": field, "direction": direction}]}
    visual = {"visualType": kind, "query": query}
    if title:
        text = {"expr": {"Literal": {"Value": f"'{title}'"}}}
        visual["visualContainerObjects"] = {
            "title": [{"properties": {"text": text}}],
            "general": [{"properties": {"altText": text}}],
        }
    return visual


def _projection(model: Model, of: str, name: str) -> dict[str, Any]:
    """A column of a table, or a metric, by its name."""
    field = f"{of}.{name}" if of else name
    if field not in model.fields:
        raise ReelhouseError(
            f"The Power BI report shows {field}, which is not published: correct "
            f"{PAGES}."
        )
    kind, table, name = model.fields[field]
    source = {"SourceRef": {"Entity": table}}
    return {
        "field": {kind: {"Expression": source, "Property": name}},
        "queryRef": f"{table}.{name}",
        "nativeQueryRef": name,
    }
