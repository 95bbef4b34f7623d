"""Report: every page in one file that needs nothing else, and charts as pictures."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from reelhouse.dashboard import charts, markup
from reelhouse.dashboard.page import (
    At,
    Block,
    Figures,
    Page,
    Says,
    Section,
    Shown,
    Stale,
    flat,
    pages,
    questions,
    tidy,
)
from reelhouse.dashboard.published import Published, Reading, Serving
from reelhouse.dashboard.theme import DARK, ICON, LIGHT, REPORT, STYLE, chart_config
from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings

Progress = Callable[[str, int, int], None]

TITLE = "<title>Movies and their ratings: a Reelhouse report</title>"

# Pictures of the two charts that every such project shows.
PICTURES = {
    "Title against average rating": "title-against-average-rating",
    "Title against number of ratings": "title-against-number-of-ratings",
}
# What a machine without the app's fonts has in its place.
PICTURE_FONT = "Liberation Sans, Arial, sans-serif"
PICTURE_COLOURS = 48
# Rows of a table that fit on paper.
TABLE_ROWS = 15
ABOUT = """
    select
        (select min(rated_date) from serving.fct_ratings) as first_day,
        (select max(rated_date) from serving.fct_ratings) as last_day,
        (select count(*) from serving.fct_ratings) as ratings,
        (select count(*) from serving.dim_movies where not is_deleted) as movies"""
DRAW = """
const dark = matchMedia("(prefers-color-scheme: dark)");
let printing = false;
function draw() {
  const config = dark.matches && !printing ? CONFIGS.dark : CONFIGS.light;
  return Promise.all(Object.entries(SPECS).map(([id, spec]) =>
    vegaEmbed("#" + id, spec, {config, actions: false, renderer: "svg"})));
}
dark.addEventListener("change", draw);
addEventListener("beforeprint", () => { printing = true; draw(); });
addEventListener("afterprint", () => { printing = false; draw(); });
draw();
"""


def write_report(settings: Settings, out: Path, progress: Progress) -> None:
    """Write the report of what a target has published, whole or not at all.

    Raises ReelhouseError where nothing is published, and where `out` is there and is no
    report, which is left alone.
    """
    out = out.resolve()
    if out.exists() and not (out.is_file() and TITLE in _beginning(out)):
        raise ReelhouseError(
            f"{out} is no report, and is not overwritten: name another file, or move "
            f"that away."
        )
    _write(out, html(settings, progress).encode())


def _beginning(path: Path) -> str:
    """The first text of a file, or the title that an empty one may get."""
    with path.open("rb") as file:
        return file.read(1_000).decode(errors="replace") or TITLE


def html(settings: Settings, progress: Progress = lambda *_: None) -> str:
    """The report as one HTML file, with all that draws its charts."""
    serving = Serving(Published(settings))
    about = serving.read({"about": ABOUT})
    row = about["about"].iloc[0]
    at = At()
    if row["ratings"]:
        at = At(first_day=row["first_day"].date(), last_day=row["last_day"].date())
    told = [page for page in pages().values() if not page.subject]
    body: list[str] = []
    specs: dict[str, Any] = {}
    for index, page in enumerate(told):
        progress("Drawing the report", index, len(told))
        blocks = page.at(at)
        reading = serving.read({sql: sql for sql in questions(blocks)})
        if reading.version != about.version:
            raise ReelhouseError(
                "Something was published while the report was drawn: make it again."
            )
        body += _page(page, blocks, reading, specs)
    progress("Drawing the report", len(told), len(told))
    configs = {"light": chart_config(LIGHT), "dark": chart_config(DARK)}
    links = " ".join(
        f'<a href="#{page.name}">{escape(page.title)}</a>' for page in told
    )
    period = f", {at.first_day} to {at.last_day}" if row["ratings"] else ""
    about_data = (
        f"{row['ratings']:,} ratings of {row['movies']:,} movies{period}; data set "
        f"{escape(settings.source_name)}. Published "
        f"{reading.published_at:%Y-%m-%d %H:%M} UTC, load {reading.load_id}, "
        f"publication {escape(reading.version[:8])}."
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Whatever a text might hold, nothing is ever fetched.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
        'img-src data:">\n'
        f"{TITLE}\n"
        f'<link rel="icon" href="data:image/svg+xml,{quote(ICON)}">\n'
        f"<style>{STYLE}{REPORT}</style>\n</head>\n<body>\n"
        f"<header><h1>Movies and their ratings</h1><p>{about_data}</p>"
        f"<nav>{links}</nav></header>\n{''.join(body)}\n"
        f"<script>{library()}</script>\n"
        f"<script>const CONFIGS = {_script(configs)};\nconst SPECS = {_script(specs)};"
        f"\n{DRAW}</script>\n</body>\n</html>\n"
    )


def _page(
    page: Page, blocks: list[Block], reading: Reading, specs: dict[str, Any]
) -> list[str]:
    """The HTML of a page, whose charts are added to the specs."""
    made = [f'<article id="{page.name}">{markup.head(page.title, page.says)}']
    for block in blocks:
        if isinstance(block, list):
            cells = [f"<section>{_shown(page, each, reading, specs)}" for each in block]
            made.append(
                f'<div class="rh-beside">{"</section>".join(cells)}</section></div>'
            )
            continue
        match block:
            case Stale():
                continue
            case Section():
                made.append(markup.section(block, None))
            case Says():
                said = markup.says(block, reading[tidy(block.sql)])
                made.append(said.replace('href="#', f'href="#{page.name}-'))
            case Figures():
                made.append(markup.figures(block, reading[tidy(block.sql)]))
            case Shown():
                shown = _shown(page, block, reading, specs)
                made.append(f"<section>{shown}</section>")
    return [*made, "</article>"]


def _shown(page: Page, block: Shown, reading: Reading, specs: dict[str, Any]) -> str:
    sql = tidy(block.sql)
    name = f"{page.name}-{block.key}"
    title = markup.titled(block.title, block.says).replace(block.key, name, 1)
    rows = block.picked(reading[sql]).drop(columns=charts.HREF, errors="ignore")
    if rows.empty:
        return title + markup.empty(block.empty)
    if not block.draw:
        return title + markup.table(rows, TABLE_ROWS)
    specs[f"chart-{name}"] = block.draw(rows).to_dict()
    drawn = f'<div class="rh-chart" id="chart-{name}"></div>'
    return title + drawn + markup.how(sql, rows)


def write_pictures(settings: Settings, folder: Path) -> list[Path]:
    """Write the main charts as PNG, light and on an opaque ground; their paths."""
    import vl_convert

    blocks = pages()["catalogue"].at(At())
    reading = Serving(Published(settings)).read({sql: sql for sql in questions(blocks)})
    written = []
    for block in flat(blocks):
        if not isinstance(block, Shown) or block.title not in PICTURES:
            continue
        rows = block.picked(reading[tidy(block.sql)])
        if rows.empty or not block.draw:
            raise ReelhouseError(
                f"There is no chart '{block.title}' to make a picture of: {block.empty}"
            )
        drawn = charts.themed(block.draw(rows), LIGHT, font=PICTURE_FONT)
        spec = drawn.to_dict() | {"width": 640, "background": LIGHT.ground}
        spec |= {"padding": 12, "title": block.title}
        path = folder / f"{PICTURES[block.title]}.png"
        _write(path, small(vl_convert.vegalite_to_png(spec, scale=1.5)))
        written.append(path)
    return written


def small(picture: bytes) -> bytes:
    """The same PNG with few colours, a tenth of the size."""
    from PIL import Image

    out = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(PICTURE_COLOURS, dither=Image.Dither.NONE).save(
        out, "PNG", optimize=True
    )
    return out.getvalue()


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")).replace(
        "</script", "<\\/script"
    )


def _script(value: Any) -> str:
    """A value as JSON that ends no script element, whatever its texts hold."""
    return json.dumps(value).replace("<", "\\u003c")


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step, its folder too where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
