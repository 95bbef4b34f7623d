"""Audience: who rates, how much, and who comes back."""

from __future__ import annotations

from reelhouse.dashboard import markup, panels
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
    reading = screen.read_page("audience")
    head("Audience", "Who rates, how much, and who comes back.", screen.filters)
    html(markup.figures(panels.audience_figures(reading)))
    shown = panels.audience(reading, screen.filters)
    side_by_side(shown["levels"], shown["level_ratings"])
    draw(shown["months"])
    draw(shown["most_active"])
    table(
        reading["most_active"],
        {
            "user_id": ("User", "%d"),
            "rating_count": ("Ratings", WHOLE),
            "average_rating": ("Average (stars)", "%.2f"),
            "tag_count": ("Tags", WHOLE),
            "active_days": ("Days with a rating", WHOLE),
            "engagement_level": ("Level", None),
            "top_genre": ("Most rated genre", None),
            "first_rated_at": ("First rating (UTC)", None),
            "last_rated_at": ("Last rating (UTC)", None),
        },
        "users",
        "Nobody has rated anything.",
    )
    draw(shown["cohorts"])
    html(markup.section("What they like"))
    side_by_side(shown["engaged_genres"], shown["engaged_genre_sizes"])
