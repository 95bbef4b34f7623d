"""Theme: colours, type and spacing, once for app, report and pictures.

The colours of marks are those of Okabe and Ito, which readers with any kind of colour
vision tell apart; each is chosen to stand out from its ground at 3 to 1 at least.
Charts name no colour: they are given one of the two configurations below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Both are sent with the app; elsewhere, what a machine has takes their place.
SANS = (
    "'Source Sans', 'Source Sans 3', system-ui, 'Segoe UI', Roboto, Arial, sans-serif"
)
SERIF = "'Source Serif', 'Source Serif 4', Palatino, Georgia, serif"
# Of a chart, in pixels.
SMALL, MEDIUM = 12, 13


@dataclass(frozen=True)
class Palette:
    """Colours of one ground: text, quieter text, lines, and marks in their order.

    `ramp` goes from little to much.
    """

    ground: str
    raised: str
    ink: str
    quiet: str
    line: str
    primary: str
    marks: tuple[str, ...]
    ramp: tuple[str, ...]


LIGHT = Palette(
    ground="#FCFBF8",
    raised="#F3F0E9",
    ink="#1C1F24",
    quiet="#5B6069",
    line="#DFDAD0",
    primary="#0072B2",
    marks=("#0072B2", "#C24E00", "#00805E", "#B05B86"),
    ramp=("#E3EEF4", "#9CC7DE", "#4A9BC6", "#0072B2", "#003A5C"),
)
DARK = Palette(
    ground="#14171B",
    raised="#1E2227",
    ink="#ECE8DF",
    quiet="#A3A8B0",
    line="#343940",
    primary="#56B4E9",
    marks=("#56B4E9", "#F0A030", "#2DBE91", "#DE94BB"),
    ramp=("#1C2B36", "#1F4C66", "#2A7AA5", "#56B4E9", "#C5E6F8"),
)


def chart_config(palette: Palette, font: str = SANS) -> dict[str, Any]:
    """The configuration of a Vega-Lite chart on the ground of a palette.

    Styles: `main` is the figure a chart is about, `second` what it is compared with,
    `faint` what leads the eye, `note` text within the chart.
    """
    main, second = palette.marks[:2]
    return {
        "background": "transparent",
        "autosize": {"type": "fit", "contains": "padding"},
        "font": font,
        "padding": {"left": 0, "right": 8, "top": 4, "bottom": 0},
        "view": {"stroke": None},
        "axis": {
            "labelColor": palette.quiet,
            "titleColor": palette.quiet,
            "labelFontSize": SMALL,
            "titleFontSize": SMALL,
            "titleFontWeight": 400,
            "titlePadding": 8,
            "gridColor": palette.line,
            "gridOpacity": 0.7,
            "domain": False,
            "tickColor": palette.line,
            "labelLimit": 190,
            "labelPadding": 6,
        },
        "axisX": {"labelFlush": False},
        "axisY": {"ticks": False},
        "legend": {
            "labelColor": palette.ink,
            "titleColor": palette.quiet,
            "labelFontSize": MEDIUM,
            "titleFontSize": SMALL,
            "titleFontWeight": 400,
            "orient": "top",
            "symbolStrokeWidth": 2,
        },
        "header": {"labelColor": palette.ink, "titleColor": palette.quiet},
        "title": {"color": palette.ink, "fontSize": 15, "anchor": "start"},
        "range": {
            "category": list(palette.marks),
            "ordinal": list(palette.ramp),
            "heatmap": list(palette.ramp),
            "ramp": list(palette.ramp),
        },
        "bar": {"color": main},
        "line": {"color": main, "strokeWidth": 2},
        "area": {"color": main},
        "point": {"color": main, "filled": True},
        "rule": {"color": palette.quiet},
        "text": {"color": palette.ink, "font": font, "fontSize": SMALL},
        "style": {
            "main": {"fill": main, "stroke": main},
            "second": {"fill": second, "stroke": second},
            "faint": {"stroke": palette.line, "fill": palette.line},
            "note": {"fill": palette.quiet, "stroke": None},
        },
    }


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
            f"theme.{name}.primaryColor": palette.primary,
            f"theme.{name}.backgroundColor": palette.ground,
            f"theme.{name}.secondaryBackgroundColor": palette.raised,
            f"theme.{name}.textColor": palette.ink,
            f"theme.{name}.linkColor": palette.primary,
            f"theme.{name}.borderColor": palette.line,
            f"theme.{name}.sidebar.backgroundColor": palette.raised,
            f"theme.{name}.sidebar.secondaryBackgroundColor": palette.ground,
        }
    return shared


# A reel: beside the name of the page, and sent with it.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<circle cx="16" cy="16" r="15" fill="#0072B2"/>'
    + "".join(
        f'<circle cx="{x}" cy="{y}" r="3.6" fill="#FCFBF8"/>'
        for x, y in ((16, 7.5), (24.1, 13.4), (21, 22.9), (11, 22.9), (7.9, 13.4))
    )
    + '<circle cx="16" cy="16" r="2" fill="#FCFBF8"/></svg>'
)

# Of what app and report write themselves; colours follow those around it.
STYLE = """
.rh-head h1, .rh-section, .rh-value { font-family: FONT; }
.rh-head { margin: 0 0 .35rem; }
.rh-head h1 { font-size: 2rem; line-height: 1.15; margin: 0; padding: 0;
    letter-spacing: -.01em; font-weight: 600; }
.rh-head p, .rh-says { margin: .15rem 0 0; font-size: .875rem; line-height: 1.4;
    max-width: 46rem; opacity: .72; }
.rh-section { font-size: 1.375rem; line-height: 1.2; margin: 1.4rem 0 0; padding: 0;
    font-weight: 600; }
.rh-title { font-size: 1.0625rem; line-height: 1.3; margin: .6rem 0 0; padding: 0;
    font-weight: 600; }
.rh-empty { border: 1px dashed color-mix(in srgb, currentColor 30%, transparent);
    border-radius: 6px; padding: .9rem 1rem; font-size: .9375rem; opacity: .85;
    max-width: 46rem; }
.rh-figures { display: grid; gap: .2rem 1.6rem; margin: .7rem 0 .4rem;
    grid-template-columns: repeat(auto-fit, minmax(7.2rem, 1fr)); }
.rh-figures > div { padding: .5rem 0 .55rem;
    border-top: 2px solid color-mix(in srgb, currentColor 22%, transparent); }
.rh-figures .rh-name { font-size: .8125rem; opacity: .72; }
.rh-figures .rh-value { font-size: 1.625rem; line-height: 1.2; font-weight: 600;
    letter-spacing: -.01em; font-variant-numeric: tabular-nums; }
.rh-figures .rh-more { font-size: .8125rem; opacity: .72; }
.rh-facts { font-size: .9375rem; margin: .2rem 0; line-height: 1.55; }
.rh-facts a { color: inherit; }
.rh-facts b { font-weight: 600; }
.rh-foot { font-size: .75rem; opacity: .7; line-height: 1.5; }
.rh-finding { font-size: 1rem; line-height: 1.5; margin: .25rem 0; max-width: 54rem; }
.rh-finding a, .rh-facts a { color: inherit; text-decoration: underline;
    text-underline-offset: .15em; }
.rh-unheard { font-size: .8125rem; margin: .1rem 0 0; font-style: italic; }
.rh-verdict { font-size: 1.0625rem; line-height: 1.45; margin: .5rem 0;
    padding: .6rem 1rem;
    border-left: 6px solid; border-radius: 4px; max-width: 60rem;
    background: color-mix(in srgb, currentColor 5%, transparent); }
.rh-well { border-color: #00805E; }
.rh-well::before { content: "● "; color: #00805E; }
.rh-ill { border-color: #C8102E; }
.rh-ill::before { content: "▲ "; color: #C8102E; }
.rh-scroll { overflow-x: auto; }
.rh-table { border-collapse: collapse; font-size: .875rem; margin-top: .5rem; }
.rh-table th, .rh-table td { text-align: left; padding: .2rem 1rem .2rem 0;
    vertical-align: top;
    border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
.rh-table .n { text-align: right; font-variant-numeric: tabular-nums; }
""".replace("FONT", SERIF)

# Of the report alone: its page, side by side where there is room, and on paper.
REPORT = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.2rem 3rem;
    font: 400 1rem/1.5 SANS; background: LIGHT_GROUND; color: LIGHT_INK; }
header h1 { font: 600 2.4rem/1.15 SERIF; margin: 0; }
header p { margin: .4rem 0 .8rem; max-width: 46rem; overflow-wrap: anywhere; }
nav a { color: inherit; margin-right: 1rem; }
article { border-top: 1px solid color-mix(in srgb, currentColor 25%, transparent);
    margin-top: 2.4rem; padding-top: 1.4rem; }
.rh-beside { display: grid; gap: 1rem 2.4rem;
    grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
section { min-width: 0; margin-top: 1rem; }
/* The last label of an axis may reach a little further. */
.rh-chart { width: 100%; overflow-x: clip; }
/* Fonts reach lower than Vega counts for the last line of text. */
.rh-chart svg { overflow: visible; }
.rh-how { font-size: .8125rem; opacity: .85; }
.rh-how pre { overflow-x: auto; }
@media (prefers-color-scheme: dark) {
    body { background: DARK_GROUND; color: DARK_INK; } }
@media print {
    body { background: #fff; color: #000; max-width: none; padding: 0; }
    nav, .rh-how, .rh-finding a[href^="#"] { display: none; }
    .rh-beside { display: block; }
    section, .rh-figures { break-inside: avoid; }
    .rh-head, .rh-section, .rh-title { break-after: avoid; }
    .rh-chart svg { max-width: 100%; height: auto; } }
"""
for name, value in {
    "SANS": SANS,
    "SERIF": SERIF,
    "LIGHT_GROUND": LIGHT.ground,
    "LIGHT_INK": LIGHT.ink,
    "DARK_GROUND": DARK.ground,
    "DARK_INK": DARK.ink,
}.items():
    REPORT = REPORT.replace(name, value)
