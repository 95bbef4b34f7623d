"""The report: one page over the model's measures, in Microsoft's PBIR format."""

from __future__ import annotations

from typing import Any

from reelhouse.powerbi.documents import NAME, as_json, platform
from reelhouse.powerbi.model import MEASURES
from reelhouse.serving.metrics import metrics

# Formats that every Desktop of the last year reads; a newer one reads them too.
PBIR = "item/report/definition/"
REPORT, PAGE, VISUAL = "report/3.0.0", "page/2.0.0", "visualContainer/2.2.0"

PAGE_NAME = "overview"
WIDTH, HEIGHT, MARGIN, GAP = 1280, 900, 24, 12
CARDS = (
    "ratings",
    "raters",
    "average_rating",
    "weighted_average_rating",
    "active_users",
    "retention",
    "movies_released",
)
CARD_HEIGHT = 90

Visual = dict[str, Any]
Box = tuple[float, float, float, float]


def report_files() -> dict[str, str]:
    """The files of the report by their paths."""
    page = f"definition/pages/{PAGE_NAME}"
    files = {
        ".platform": platform("Report"),
        "definition.pbir": as_json(
            "item/report/definitionProperties/2.0.0",
            {
                "version": "4.0",
                "datasetReference": {"byPath": {"path": f"../{NAME}.SemanticModel"}},
            },
        ),
        "definition/version.json": as_json(
            f"{PBIR}versionMetadata/1.0.0", {"version": "2.0.0"}
        ),
        "definition/report.json": as_json(f"{PBIR}{REPORT}", {"themeCollection": {}}),
        "definition/pages/pages.json": as_json(
            f"{PBIR}pagesMetadata/1.0.0",
            {"pageOrder": [PAGE_NAME], "activePageName": PAGE_NAME},
        ),
        f"{page}/page.json": as_json(
            f"{PBIR}{PAGE}",
            {
                "name": PAGE_NAME,
                "displayName": "Overview",
                "displayOption": "FitToPage",
                "height": HEIGHT,
                "width": WIDTH,
            },
        ),
    }
    for order, (name, box, visual) in enumerate(_visuals()):
        x, y, width, height = map(round, box)
        position = {"x": x, "y": y, "z": order, "width": width, "height": height}
        files[f"{page}/visuals/{name}/visual.json"] = as_json(
            f"{PBIR}{VISUAL}",
            {
                "name": name,
                "position": {**position, "tabOrder": order},
                "visual": visual,
            },
        )
    return files


def _visuals() -> list[tuple[str, Box, Visual]]:
    """Name, place (x, y, width, height in pixels) and content of each visual."""
    inner = WIDTH - 2 * MARGIN
    card = (inner - GAP * (len(CARDS) - 1)) / len(CARDS)
    placed: list[tuple[str, Box, Visual]] = [
        (
            f"card_{name}",
            (MARGIN + number * (card + GAP), MARGIN, card, CARD_HEIGHT),
            _visual("card", "", {"Values": [_measure(name)]}),
        )
        for number, name in enumerate(CARDS)
    ]
    top = MARGIN + CARD_HEIGHT + GAP
    height = (HEIGHT - top - MARGIN - GAP) / 2
    half = (inner - GAP) / 2
    left, right = MARGIN, MARGIN + half + GAP
    lower = top + height + GAP
    month, title = _column("dim_dates", "month_start"), _column("dim_movies", "title")
    # Movies may share a title.
    movie = _column("dim_movies", "movie_id")
    genre = _column("dim_genres", "genre")
    ratings, average = _measure("ratings"), _measure("average_rating")
    weighted = _measure("weighted_average_rating")
    return [
        *placed,
        (
            "ratings_by_month",
            (left, top, half, height),
            _visual(
                "lineChart",
                "Ratings by month",
                {"Category": [month], "Y": [ratings]},
                sort=(month, "Ascending"),
            ),
        ),
        (
            "quality_and_popularity",
            (right, top, half, height),
            _visual(
                "scatterChart",
                "Average rating against number of ratings, a dot for each movie",
                {"Category": [title], "X": [ratings], "Y": [average]},
            ),
        ),
        (
            "weighted_average_by_genre",
            (left, lower, half, height),
            _visual(
                "tableEx",
                "Genres by weighted average rating",
                {"Values": [genre, weighted]},
                sort=(weighted, "Descending"),
            ),
        ),
        (
            "movies_by_ratings",
            (right, lower, half, height),
            _visual(
                "tableEx",
                "Movies by number of ratings",
                {"Values": [movie, title, ratings, average]},
                sort=(ratings, "Descending"),
            ),
        ),
    ]


def _visual(
    kind: str,
    title: str,
    roles: dict[str, list[Visual]],
    sort: tuple[Visual, str] | None = None,
) -> Visual:
    query: Visual = {
        "queryState": {
            role: {"projections": projections} for role, projections in roles.items()
        }
    }
    if sort:
        field, direction = sort
        query["sortDefinition"] = {
            "sort": [{"field": field["field"], "direction": direction}]
        }
    visual: Visual = {"visualType": kind, "query": query}
    if title:
        text = {"expr": {"Literal": {"Value": f"'{title}'"}}}
        visual["visualContainerObjects"] = {
            "title": [{"properties": {"text": text}}],
            "general": [{"properties": {"altText": text}}],
        }
    return visual


def _measure(name: str) -> Visual:
    return _projection("Measure", MEASURES, metrics()[name].label)


def _column(table: str, name: str) -> Visual:
    return _projection("Column", table, name)


def _projection(kind: str, table: str, name: str) -> Visual:
    source = {"SourceRef": {"Entity": table}}
    return {
        "field": {kind: {"Expression": source, "Property": name}},
        "queryRef": f"{table}.{name}",
        "nativeQueryRef": name,
    }
