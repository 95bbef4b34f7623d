"""The pages, each a function of the screen, in their order.

A folder named pages would be taken for Streamlit's other kind of app.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reelhouse.dashboard.screen import Screen
from reelhouse.dashboard.views import (
    audience,
    catalogue,
    content,
    health,
    overview,
    recommendation,
)

PAGES: Mapping[str, Callable[[Screen], None]] = {
    "overview": overview.show,
    "catalogue": catalogue.show,
    "audience": audience.show,
    "content": content.show,
    "recommendation": recommendation.show,
    "health": health.show,
}
