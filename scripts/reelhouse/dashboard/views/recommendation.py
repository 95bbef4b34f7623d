"""Recommendation: what to show to whom."""

from __future__ import annotations

from reelhouse.dashboard import markup, panels
from reelhouse.dashboard.questions import neighbours
from reelhouse.dashboard.screen import (
    WHOLE,
    Screen,
    draw,
    head,
    html,
    side_by_side,
    table,
)


def show(screen: Screen) -> None:
    reading = screen.read_page("recommendation")
    head("Recommendation", "Which movies to show, and to whom.", screen.filters)
    shown = panels.recommendation(reading, screen.filters)
    side_by_side(shown["categories"], shown["momentum"])
    html(markup.section("From a movie to others"))
    choice = screen.pick_movie()
    if choice.movie_id is not None:
        draw(panels.neighbours(screen.read(neighbours(choice))))
    html(markup.section("Movies to recommend"))
    table(
        reading["recommended"].assign(
            category=lambda frame: frame["category"].str.replace("_", " ")
        ),
        {
            "title": ("Title", None),
            "category": ("Category", None),
            "genres": ("Genres", None),
            "rating_count": ("Ratings", WHOLE),
            "average_rating": ("Average (stars)", "%.3f"),
        },
        "recommended",
        "No movie that fits these filters is in a category to recommend.",
        height=420,
    )
    html(markup.titled("Rising and falling movies"))
    table(
        reading["moving"],
        {
            "title": ("Title", None),
            "momentum": ("Momentum", None),
            "recent_rating_count": ("Last 365 days", WHOLE),
            "previous_rating_count": ("365 days before", WHOLE),
            "recent_average_rating": ("Average, last 365 days", "%.2f"),
            "previous_average_rating": ("Average, before", "%.2f"),
        },
        "momentum",
        "No movie is rising or falling under these filters.",
    )
