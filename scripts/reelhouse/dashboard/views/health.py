"""Data health: what was loaded, rejected, tested and published."""

from __future__ import annotations

from reelhouse.dashboard import markup, panels
from reelhouse.dashboard.filters import Filters
from reelhouse.dashboard.screen import WHOLE, Screen, draw, head, html, table


def show(screen: Screen) -> None:
    reading = screen.read_page("health")
    # Nothing here is about some movies alone.
    head("Data health", "What was loaded, rejected, tested and published.", Filters())
    html(markup.figures(panels.health_figures(reading)))
    html(markup.section("Rejects"))
    draw(panels.health(reading, screen.filters)["rejects"])
    if not reading["rejects"].empty:
        table(
            reading["rejects"],
            {
                "file": ("File", None),
                "reason": ("Reason", None),
                "rejected_lines": ("Records", WHOLE),
            },
            "rejects",
            "No file has a rejected record.",
        )
    html(markup.section("Loads"))
    table(
        reading["loads"],
        {
            "load_id": ("Load", "%d"),
            "loaded_at": ("At (UTC)", None),
            "file": ("File", None),
            "status": ("Status", None),
            "records": ("Records", WHOLE),
            "rows_new": ("New rows", WHOLE),
            "rows_removed": ("Removed", WHOLE),
            "rows_rejected": ("Rejected", WHOLE),
            "size": ("Bytes", WHOLE),
        },
        "loads",
        "Nothing was loaded yet.",
    )
    html(
        markup.section("Reconciliation")
        + markup.titled(
            "",
            "Rows of each layer, and why they are fewer or more than in the one "
            "before; nothing may stay unexplained.",
        )
    )
    table(
        reading["reconciliation"],
        {
            "entity": ("Entity", None),
            "layer": ("Layer", None),
            "reason": ("Reason", None),
            "row_count": ("Rows", WHOLE),
        },
        "reconciliation",
        "There is nothing to reconcile.",
        height=420,
    )
    html(markup.section("Published tables"))
    table(
        reading["tables"],
        {
            "name": ("Name", None),
            "kind": ("Kind", None),
            "row_count": ("Rows", WHOLE),
        },
        "published-tables",
        "Nothing is published.",
        height=420,
    )
