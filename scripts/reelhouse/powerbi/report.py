"""The report: a page for each subject, in Microsoft's PBIR format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reelhouse.powerbi.documents import NAME, as_json, platform
from reelhouse.powerbi.model import MEASURES
from reelhouse.serving.metrics import metrics

# Formats that every Desktop of the last year reads; a newer one reads them too.
PBIR = "item/report/definition/"
REPORT, PAGE, VISUAL = "report/3.0.0", "page/2.0.0", "visualContainer/2.2.0"

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
# Heights of cards and of slicers.
CARD, SLICER = 90, 70
# Colours that readers with any kind of colour vision tell apart, on a light ground.
THEME = {
    "name": NAME,
    "dataColors": ["#0072B2", "#C24E00", "#00805E", "#B05B86"],
    "background": "#FCFBF8",
    "foreground": "#1C1F24",
    "tableAccent": "#0072B2",
}
THEME_FILE, RESOURCES = f"{NAME}.json", "RegisteredResources"

Visual = dict[str, Any]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Page:
    """A page: what it can be filtered by, and its visuals, two beside each other.

    A slicer is a column that filters every visual of the page.
    """

    title: str
    slicers: tuple[tuple[str, str], ...]
    visuals: dict[str, Visual]
    has_cards: bool = False


def report_files() -> dict[str, str]:
    """The files of the report by their paths."""
    theme = {
        "name": THEME_FILE,
        "type": RESOURCES,
        "reportVersionAtImport": {
            "visual": VISUAL.rpartition("/")[2],
            "report": REPORT.rpartition("/")[2],
            "page": PAGE.rpartition("/")[2],
        },
    }
    resource = {"name": THEME_FILE, "path": THEME_FILE, "type": "CustomTheme"}
    pages = report_pages()
    files = {
        ".platform": platform("Report"),
        "definition.pbir": as_json(
            "item/report/definitionProperties/2.0.0",
            {
                "version": "4.0",
                "datasetReference": {"byPath": {"path": f"../{NAME}.SemanticModel"}},
            },
        ),
        f"StaticResources/{RESOURCES}/{THEME_FILE}": json.dumps(THEME, indent=2) + "\n",
        "definition/version.json": as_json(
            f"{PBIR}versionMetadata/1.0.0", {"version": "2.0.0"}
        ),
        "definition/report.json": as_json(
            f"{PBIR}{REPORT}",
            {
                "themeCollection": {"customTheme": theme},
                "resourcePackages": [
                    {"name": RESOURCES, "type": RESOURCES, "items": [resource]}
                ],
            },
        ),
        "definition/pages/pages.json": as_json(
            f"{PBIR}pagesMetadata/1.0.0",
            {"pageOrder": list(pages), "activePageName": next(iter(pages))},
        ),
    }
    for name, page in pages.items():
        folder = f"definition/pages/{name}"
        files[f"{folder}/page.json"] = as_json(
            f"{PBIR}{PAGE}",
            {
                "name": name,
                "displayName": page.title,
                "displayOption": "FitToPage",
                "height": HEIGHT,
                "width": WIDTH,
            },
        )
        for order, (visual_name, box, visual) in enumerate(_placed(page)):
            x, y, width, height = map(round, box)
            position = {"x": x, "y": y, "z": order, "width": width, "height": height}
            files[f"{folder}/visuals/{visual_name}/visual.json"] = as_json(
                f"{PBIR}{VISUAL}",
                {
                    "name": visual_name,
                    "position": {**position, "tabOrder": order},
                    "visual": visual,
                },
            )
    return files


def _placed(page: Page) -> Iterator[tuple[str, Box, Visual]]:
    """Name, place (x, y, width, height in pixels) and content of each visual."""
    top: float = MARGIN
    cards = [
        (f"card_{name}", _visual("card", "", {"Values": [_measure(name)]}))
        for name in (CARDS if page.has_cards else ())
    ]
    slicers = [
        (f"slicer_{name}", _visual("slicer", "", {"Values": [_column(table, name)]}))
        for table, name in page.slicers
    ]
    for tall, row in ((CARD, cards), (SLICER, slicers)):
        if row:
            yield from _beside(row, top, tall)
            top += tall + GAP
    visuals = list(page.visuals.items())
    rows = [visuals[at : at + 2] for at in range(0, len(visuals), 2)]
    height = (HEIGHT - top - MARGIN - GAP * (len(rows) - 1)) / len(rows)
    for row in rows:
        yield from _beside(row, top, height)
        top += height + GAP


def _beside(
    row: list[tuple[str, Visual]], top: float, height: float
) -> Iterator[tuple[str, Box, Visual]]:
    width = (WIDTH - 2 * MARGIN - GAP * (len(row) - 1)) / len(row)
    for number, (name, visual) in enumerate(row):
        yield name, (MARGIN + number * (width + GAP), top, width, height), visual


def report_pages() -> dict[str, Page]:
    """The pages by their names: one for all, then one for each subject."""
    month, title = _column("dim_dates", "month_start"), _column("dim_movies", "title")
    # Movies may share a title.
    movie = _column("dim_movies", "movie_id")
    genre = _column("dim_genres", "genre")
    level = _column("dim_users", "engagement_level")
    user = _column("dim_users", "user_id")
    tag = _column("fct_tags", "tag_normalised")
    ratings, average = _measure("ratings"), _measure("average_rating")
    raters, tags = _measure("raters"), _measure("tags")
    weighted = _measure("weighted_average_rating")
    by_month: dict[str, Any] = {"sort": (month, "Ascending")}
    by_ratings: dict[str, Any] = {"sort": (ratings, "Descending")}
    genres, years = ("dim_genres", "genre"), ("dim_dates", "year")
    quality = _visual(
        "scatterChart",
        "Average rating against number of ratings, a dot for each movie",
        {"Category": [title], "X": [ratings], "Y": [average]},
    )
    ratings_by_month = _visual(
        "lineChart",
        "Ratings by month",
        {"Category": [month], "Y": [ratings]},
        **by_month,
    )
    movies_by_ratings = _visual(
        "tableEx",
        "Movies by number of ratings",
        {"Values": [movie, title, ratings, average]},
        **by_ratings,
    )
    return {
        "overview": Page(
            "Overview",
            (),
            {
                "ratings_by_month": ratings_by_month,
                "quality_and_popularity": quality,
                "weighted_average_by_genre": _visual(
                    "tableEx",
                    "Genres by weighted average rating",
                    {"Values": [genre, weighted]},
                    sort=(weighted, "Descending"),
                ),
                "movies_by_ratings": movies_by_ratings,
            },
            has_cards=True,
        ),
        "catalogue": Page(
            "Catalogue",
            (genres, ("dim_movies", "release_year"), years),
            {
                "quality_and_popularity": quality,
                "movies_by_ratings": movies_by_ratings,
                "genres_by_ratings": _visual(
                    "barChart",
                    "Genres by number of ratings, a movie once in each of its genres",
                    {"Category": [genre], "Y": [ratings]},
                    **by_ratings,
                ),
                "average_by_month": _visual(
                    "lineChart",
                    "Average rating by month",
                    {"Category": [month], "Y": [average]},
                    **by_month,
                ),
            },
        ),
        "audience": Page(
            "Audience",
            (("dim_users", "engagement_level"), genres, years),
            {
                "ratings_by_month": ratings_by_month,
                "raters_by_month": _visual(
                    "lineChart",
                    "Users who rated by month",
                    {"Category": [month], "Y": [raters]},
                    **by_month,
                ),
                "levels": _visual(
                    "tableEx",
                    "Levels of engagement",
                    {"Values": [level, raters, ratings, average]},
                    **by_ratings,
                ),
                "users_by_ratings": _visual(
                    "tableEx",
                    "Users by number of ratings",
                    {"Values": [user, level, ratings, average]},
                    **by_ratings,
                ),
            },
        ),
        "content": Page(
            "Content",
            (genres, ("dim_movies", "release_year")),
            {
                "tags_by_use": _visual(
                    "tableEx",
                    "Tags of users, by how often they were put",
                    {"Values": [tag, tags]},
                    sort=(tags, "Descending"),
                ),
                "movies_by_tags": _visual(
                    "tableEx",
                    "Movies by number of tags",
                    {"Values": [movie, title, tags]},
                    sort=(tags, "Descending"),
                ),
                "tag_profiles": _table(
                    "What the genome says of movies",
                    "mart_movie_tag_profile",
                    ("movie_id", "title", "top_tags"),
                ),
            },
        ),
        "recommendation": Page(
            "Recommendation",
            (genres, ("dim_movies", "release_year")),
            {
                "categories": _table(
                    "Movies by category",
                    "mart_movie_recommendations",
                    ("movie_id", "title", "recommendation_category", "rating_count"),
                    "rating_count",
                ),
                "momentum": _table(
                    "Movies by momentum: ratings of two years",
                    "mart_movie_momentum",
                    (
                        *("movie_id", "title", "momentum", "recent_rating_count"),
                        "previous_rating_count",
                    ),
                    "recent_rating_count",
                ),
            },
        ),
        "health": Page(
            "Data health",
            (),
            {
                "loads": _table(
                    "Loads that changed something",
                    "health_loads",
                    (
                        *("loaded_at", "file", "status", "records", "rows_loaded"),
                        *("rows_rejected", "rows_removed"),
                    ),
                    "loaded_at",
                ),
                "rejects": _table(
                    "Records kept aside, and why",
                    "health_rejects",
                    ("file", "reason", "rejected_lines"),
                    "rejected_lines",
                ),
                "reconciliation": _table(
                    "Rows from file to mart",
                    "health_reconciliation",
                    ("entity", "layer", "reason", "row_count"),
                ),
            },
        ),
    }


def _table(
    title: str, table: str, names: tuple[str, ...], first_by: str | None = None
) -> Visual:
    """Columns of one table, the greatest values of `first_by` first."""
    return _visual(
        "tableEx",
        title,
        {"Values": [_column(table, name) for name in names]},
        sort=(_column(table, first_by), "Descending") if first_by else None,
    )


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
