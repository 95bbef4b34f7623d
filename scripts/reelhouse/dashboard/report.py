"""Report: the charts of every page in one file that needs nothing else, or as PNG."""

from __future__ import annotations

import io
import json
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from reelhouse.dashboard import charts, markup, panels
from reelhouse.dashboard.filters import Filters
from reelhouse.dashboard.panels import FIGURES, PANELS, TITLES, Panel
from reelhouse.dashboard.published import Published, Reading, Serving
from reelhouse.dashboard.questions import asked
from reelhouse.dashboard.theme import DARK, ICON, LIGHT, STYLE, chart_config
from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings

# Pictures of the two charts that every such project shows.
PICTURES = {
    "best": "title-against-average-rating",
    "most_rated": "title-against-number-of-ratings",
}
PICTURE_WIDTH = 640
PICTURE_LABELS = 260
PICTURE_SCALE = 1.5
PICTURE_COLOURS = 48
# What a machine without the app's fonts has in its place.
PICTURE_FONT = "Liberation Sans, Arial, sans-serif"

DRAW = """
const dark = matchMedia("(prefers-color-scheme: dark)");
function draw() {
  const config = dark.matches ? CONFIGS.dark : CONFIGS.light;
  for (const [id, spec] of Object.entries(SPECS))
    vegaEmbed("#" + id, spec, {config, actions: false, renderer: "svg"});
}
dark.addEventListener("change", draw);
draw();
"""
LAYOUT = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.2rem 3rem;
    font: 400 1rem/1.5 %(sans)s; background: %(light_ground)s; color: %(light_ink)s; }
nav a { color: inherit; margin-right: 1rem; }
.rh-head { margin-top: 2.6rem; }
.rh-panels { display: grid; gap: 1rem 2.4rem;
    grid-template-columns: repeat(auto-fit, minmax(min(100%%, 26rem), 1fr)); }
.rh-panels > section { min-width: 0; }
.rh-panels > .rh-wide { grid-column: 1 / -1; }
.rh-chart { width: 100%%; }
/* Fonts reach lower than Vega counts for the last line of text. */
.rh-chart svg { overflow: visible; }
@media (prefers-color-scheme: dark) {
    body { background: %(dark_ground)s; color: %(dark_ink)s; } }
@media print { .rh-panels > section { break-inside: avoid; } }
"""
# Charts that want the whole width.
WIDE = {"quality", "months", "cohorts", "performance", "rejects", "new"}


def write_report(settings: Settings, out: Path) -> None:
    """Write the report of what a target has published, whole or not at all.

    Raises ReelhouseError where nothing is published.
    """
    text = html(read_all(settings))
    _write(out, text.encode())


def write_pictures(settings: Settings, folder: Path) -> list[Path]:
    """Write the main charts as PNG, light and on an opaque ground; their paths."""
    reading = Serving(Published(settings)).read(asked("catalogue"))
    shown = panels.catalogue(reading, Filters())
    written = []
    for key, name in PICTURES.items():
        chart = shown[key].chart
        if chart is None:
            raise ReelhouseError(
                f"There is no chart '{shown[key].title}' to make a picture of: "
                f"{shown[key].empty}"
            )
        spec = charts.themed(chart, LIGHT, font=PICTURE_FONT).to_dict()
        spec |= {
            "width": PICTURE_WIDTH,
            "background": LIGHT.ground,
            "padding": 12,
            "title": shown[key].title,
        }
        spec["encoding"]["y"]["axis"]["labelLimit"] = PICTURE_LABELS
        path = folder / f"{name}.png"
        write_picture(spec, path)
        written.append(path)
    return written


def write_picture(spec: dict[str, Any], path: Path) -> None:
    """Write a chart as a small PNG."""
    import vl_convert

    _write(path, _small(vl_convert.vegalite_to_png(spec, scale=PICTURE_SCALE)))


def _small(picture: bytes) -> bytes:
    """The same PNG with few colours, a tenth of the size."""
    from PIL import Image

    out = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(PICTURE_COLOURS, dither=Image.Dither.NONE).save(
        out, "PNG", optimize=True
    )
    return out.getvalue()


def read_all(settings: Settings) -> Reading:
    """The answers to what every page asks, all of one version, as page.question."""
    questions = {
        f"{page}.{name}": sql for page in PANELS for name, sql in asked(page).items()
    }
    return Serving(Published(settings)).read(questions)


def html(reading: Reading) -> str:
    """The report as one HTML file, with all that draws its charts."""
    body, specs = [], {}
    for page, draw in PANELS.items():
        own = _of_page(reading, page)
        body.append(f'<div id="{page}">{markup.head(TITLES[page], "")}</div>')
        if page in FIGURES:
            body.append(markup.figures(FIGURES[page](own)))
        cells = []
        for key, panel in draw(own, Filters()).items():
            name = f"{page}-{key.replace('_', '-')}"
            if panel.chart is not None:
                specs[name] = panel.chart.to_dict()
            wide = ' class="rh-wide"' if key in WIDE else ""
            cells.append(f"<section{wide}>{_cell(name, panel)}</section>")
        body.append(f'<div class="rh-panels">{"".join(cells)}</div>')
        if page == "health":
            body.append(_reconciliation(own["reconciliation"]))
    configs = {"light": chart_config(LIGHT), "dark": chart_config(DARK)}
    links = " ".join(f'<a href="#{page}">{escape(TITLES[page])}</a>' for page in PANELS)
    published = panels.minute(reading.published_at)
    layout = LAYOUT % {
        "sans": chart_config(LIGHT)["font"],
        "light_ground": LIGHT.ground,
        "light_ink": LIGHT.ink,
        "dark_ground": DARK.ground,
        "dark_ink": DARK.ink,
    }
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Whatever a text might hold, nothing is ever fetched.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
        'img-src data:">\n'
        f"<title>Reelhouse</title>\n"
        f'<link rel="icon" href="data:image/svg+xml,{_quoted(ICON)}">\n'
        f"<style>{STYLE}{layout}</style>\n</head>\n<body>\n"
        f"<nav>{links}</nav>\n"
        f'<p class="rh-foot">Published {published} · load {reading.load_id} · '
        f"publication {escape(reading.version[:8])}</p>\n"
        f"{''.join(body)}\n"
        f"<script>{library()}</script>\n"
        f"<script>const CONFIGS = {_script(configs)};\nconst SPECS = {_script(specs)};"
        f"\n{DRAW}</script>\n</body>\n</html>\n"
    )


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")).replace(
        "</script", "<\\/script"
    )


def _of_page(reading: Reading, page: str) -> Reading:
    frames = {
        name.removeprefix(f"{page}."): frame
        for name, frame in reading.frames.items()
        if name.startswith(f"{page}.")
    }
    return Reading(reading.version, reading.published_at, reading.load_id, frames)


def _cell(name: str, panel: Panel) -> str:
    drawn = (
        markup.empty(panel.empty)
        if panel.chart is None
        else f'<div class="rh-chart" id="{name}"></div>'
    )
    return markup.titled(panel.title, panel.says) + drawn


def _reconciliation(frame: pd.DataFrame) -> str:
    """The rows of each layer, as a table."""
    rows = "".join(
        f"<tr><td>{escape(row.entity)}</td><td>{escape(row.layer)}</td>"
        f"<td>{escape(row.reason)}</td><td>{row.row_count:,}</td></tr>"
        for row in frame[frame["row_count"] > 0].itertuples()
    )
    return (
        markup.titled("Reconciliation", "Rows of each layer, and why they differ.")
        + '<table class="rh-table"><tr><th>entity</th><th>layer</th><th>reason</th>'
        f"<th>rows</th></tr>{rows}</table>"
    )


def _script(value: Any) -> str:
    """A value as JSON that ends no script element, whatever its texts hold."""
    return json.dumps(value).replace("<", "\\u003c")


def _quoted(svg: str) -> str:
    from urllib.parse import quote

    return quote(svg)


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step, its folder too where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
