"""Content: what movies are about, by the tag genome and by their viewers."""

from __future__ import annotations

from reelhouse.dashboard import markup, panels
from reelhouse.dashboard.questions import profile
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
    reading = screen.read_page("content")
    head("Content", "What the movies are about, as tags have it.", screen.filters)
    shown = panels.content(reading, screen.filters)
    side_by_side(shown["relevance"], shown["user_tags"])
    draw(shown["performance"])
    html(markup.section("Tag profile of a movie"))
    choice = screen.pick_movie()
    if choice.movie_id is not None:
        draw(panels.profile(screen.read(profile(choice))))
    html(markup.section("Tables"))
    html(markup.titled("Tags of the tag genome"))
    table(
        reading["relevance"],
        {
            "tag": ("Tag", None),
            "average_relevance": ("Average relevance (0 to 1)", "%.3f"),
            "movies_scored": ("Movies", WHOLE),
            "movies_relevant": ("Of them relevant", WHOLE),
        },
        "genome-tags",
        shown["relevance"].empty,
    )
    html(markup.titled("Tags and ratings", panels.ALL_MOVIES))
    table(
        reading["tag_performance"],
        {
            "tag": ("Tag", None),
            "movies_with_tag": ("Movies", WHOLE),
            "total_ratings": ("Ratings", WHOLE),
            "weighted_average_rating": ("Average (stars)", "%.3f"),
        },
        "tag-performance",
        shown["performance"].empty,
    )
    html(markup.titled("Tags by users"))
    table(
        reading["user_tags"],
        {
            "tag": ("Tag", None),
            "applications": ("Times applied", WHOLE),
            "movies": ("Movies", WHOLE),
            "users": ("Users", WHOLE),
            "last_tagged_at": ("Last (UTC)", None),
        },
        "user-tags",
        shown["user_tags"].empty,
    )
