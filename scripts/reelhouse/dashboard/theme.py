"""Theme: colours, type and spacing, once for app, report and pictures.

The colours of marks are those of Okabe and Ito, which readers with any kind of colour
vision can tell apart; each has a contrast of at least 3 to 1 with its background.
Charts name no colour: they get one of the two configurations below.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

# Source Sans is sent with the app; elsewhere, a font of the machine replaces it.
SANS = (
    "'Source Sans', 'Source Sans 3', system-ui, 'Segoe UI', Roboto, Arial, sans-serif"
)


@dataclass(frozen=True)
class Palette:
    """Colours on one background: text, quieter text, lines, and two kinds of marks.

    `ramp` goes from low values to high ones.
    """

    ground: str
    raised: str
    ink: str
    quiet: str
    line: str
    marks: tuple[str, str]
    ramp: tuple[str, ...]


LIGHT = Palette(
    ground="#FCFBF8",
    raised="#F3F0E9",
    ink="#1C1F24",
    quiet="#5B6069",
    line="#DFDAD0",
    marks=("#0072B2", "#C24E00"),
    ramp=("#E3EEF4", "#9CC7DE", "#4A9BC6", "#0072B2", "#003A5C"),
)
DARK = Palette(
    ground="#14171B",
    raised="#1E2227",
    ink="#ECE8DF",
    quiet="#A3A8B0",
    line="#343940",
    marks=("#56B4E9", "#F0A030"),
    ramp=("#1C2B36", "#1F4C66", "#2A7AA5", "#56B4E9", "#C5E6F8"),
)


def chart_config(palette: Palette, font: str = SANS) -> dict[str, Any]:
    """Return the configuration of a Vega-Lite chart in the colours of a palette.

    Styles: `faint` for guide lines, `note` for text within the chart.
    """
    mark, second = palette.marks
    given = {"font": font, "mark": mark, "second": second}
    given["ramp"] = json.dumps(palette.ramp)
    return dict(json.loads(CHART.substitute(vars(palette) | given)))


def app_options() -> dict[str, str]:
    """Streamlit's options for the look of the app, by name."""
    shared = {
        "theme.font": "sans-serif",
        "theme.headingFont": "serif",
        "theme.baseRadius": "6px",
        "theme.showWidgetBorder": "true",
        "theme.linkUnderline": "true",
    }
    for name, palette in (("light", LIGHT), ("dark", DARK)):
        shared |= {
            f"theme.{name}.primaryColor": palette.marks[0],
            f"theme.{name}.backgroundColor": palette.ground,
            f"theme.{name}.secondaryBackgroundColor": palette.raised,
            f"theme.{name}.textColor": palette.ink,
            f"theme.{name}.linkColor": palette.marks[0],
            f"theme.{name}.borderColor": palette.line,
            f"theme.{name}.sidebar.backgroundColor": palette.raised,
            f"theme.{name}.sidebar.secondaryBackgroundColor": palette.ground,
        }
    return shared


CHART = Template(Path(__file__).with_name("chart.json").read_text(encoding="utf-8"))

# A reel, the icon beside the name of the page, which is sent with it.
ICON = Path(__file__).with_name("icon.svg").read_text(encoding="utf-8")

# Styles of the HTML that app and report write; colours follow those around it.
STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
