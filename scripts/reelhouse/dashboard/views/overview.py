"""Overview: figures, the trend, and what is new."""

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
    reading = screen.read_page("overview")
    head("Overview", "What is rated, by how many, and what is new.", screen.filters)
    html(markup.figures(panels.overview_figures(reading)))
    shown = panels.overview(reading, screen.filters)
    side_by_side(shown["ratings"], shown["average"])
    html(markup.section("What is new"))
    draw(shown["new"])
    table(
        reading["new_movies"],
        {
            "title": ("Title", None),
            "momentum": ("Momentum", None),
            "recent_rating_count": ("Last 365 days", WHOLE),
            "previous_rating_count": ("365 days before", WHOLE),
            "recent_average_rating": ("Average (stars)", "%.2f"),
        },
        "new-movies",
        "No movie is new or rising under these filters.",
    )
    loads = reading["loads"]
    if not loads.empty:
        load = loads.iloc[0]
        html(markup.titled("The last load that changed something"))
        html(
            markup.facts(
                {
                    "Load": f"{load['load_id']}",
                    "at": panels.minute(load["loaded_at"]),
                    "files": panels.whole(load["files"]),
                    "new rows": panels.whole(load["rows_new"]),
                    "rows removed": panels.whole(load["rows_removed"]),
                    "records rejected": panels.whole(load["rows_rejected"]),
                }
            )
        )
