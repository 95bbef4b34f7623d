"""The pages, each a function of the screen, in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reelhouse.dashboard.pages import (
    audience,
    catalogue,
    content,
    health,
    overview,
    recommendation,
)
from reelhouse.dashboard.screen import Screen

PAGES: Mapping[str, Callable[[Screen], None]] = {
    "overview": overview.show,
    "catalogue": catalogue.show,
    "audience": audience.show,
    "content": content.show,
    "recommendation": recommendation.show,
    "health": health.show,
}
