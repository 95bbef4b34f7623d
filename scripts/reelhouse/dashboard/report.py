"""Report: pages in one file that needs nothing else, and charts as pictures."""

from __future__ import annotations

import io
import json
import os
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import pandas as pd

from reelhouse.dashboard import charts, markup
from reelhouse.dashboard.page import (
    BOUNDS,
    At,
    Block,
    Page,
    Shown,
    Single,
    Stale,
    flat,
    pages,
    questions,
    tidy,
)
from reelhouse.dashboard.published import Published, Reading, Serving
from reelhouse.dashboard.theme import DARK, ICON, LIGHT, SANS, STYLE, chart_config
from reelhouse.errors import ReelhouseError, naming
from reelhouse.progress import Progress
from reelhouse.settings import Settings

PAGE = Path(__file__).with_name("report.html")
TITLE = "<title>Movies and their ratings: a Reelhouse report</title>"

# File names of the two charts that every project of this kind shows, as pictures.
PICTURES = {
    "Title against average rating": "title-against-average-rating",
    "Title against number of ratings": "title-against-number-of-ratings",
}
# Fonts of machines that do not have the app's font.
PICTURE_FONT = "Liberation Sans, Arial, sans-serif"
PICTURE_COLOURS = 48
# Rows of a table that fit on paper.
TABLE_ROWS = 15


def write_report(settings: Settings, out: Path, progress: Progress) -> None:
    """Write the report of what a target has published, completely or not at all.

    Raises ReelhouseError if nothing is published, and if `out` exists but is not a
    report; that file stays as it is.
    """
    out = out.resolve()
    if out.exists() and not (out.is_file() and TITLE in _beginning(out)):
        raise ReelhouseError(
            f"{out} is not a report, so it is not overwritten: name another file, or "
            f"move this one away."
        )
    _write(out, html(settings, progress).encode())


def _beginning(path: Path) -> str:
    """Return the start of a file; TITLE for an empty one, which may be overwritten."""
    with path.open("rb") as file:
        return file.read(1_000).decode(errors="replace") or TITLE


def html(settings: Settings, progress: Progress = lambda *_: None) -> str:
    """Return the report as one HTML file, with the scripts that draw its charts."""
    serving = Serving(Published(settings))
    about = serving.read([BOUNDS])
    row = about[BOUNDS].iloc[0]
    at = At().within(row)
    told = [page for page in pages().values() if not page.subject]
    body: list[str] = []
    specs: dict[str, Any] = {}
    for index, page in enumerate(told):
        progress("Drawing the report", index, len(told))
        blocks = page.at(at)
        reading = serving.read(questions(blocks))
        if reading.version != about.version:
            raise ReelhouseError(
                "A new version was published during drawing: draw the report again."
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
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        icon=quote(ICON),
        style=STYLE,
        sans=SANS,
        light_ground=LIGHT.ground,
        light_ink=LIGHT.ink,
        dark_ground=DARK.ground,
        dark_ink=DARK.ink,
        about=about_data,
        links=links,
        body="\n".join(body),
        library=library(),
        configs=_script(configs),
        specs=_script(specs),
    )


def _page(
    page: Page, blocks: list[Block], reading: Reading, specs: dict[str, Any]
) -> list[str]:
    """Return the HTML of a page, and add its charts to `specs`."""
    made = [f'<article id="{page.name}">{markup.head(page.title, page.says)}']
    for block in blocks:
        if isinstance(block, list):
            cells = "".join(_block(page, each, reading, specs) for each in block)
            made.append(f'<div class="rh-beside">{cells}</div>')
        elif not isinstance(block, Stale):
            made.append(_block(page, block, reading, specs))
    return [*made, "</article>"]


def _block(page: Page, block: Single, reading: Reading, specs: dict[str, Any]) -> str:
    sql = tidy(block.sql)
    made = markup.block(block, reading[sql] if sql else pd.DataFrame())
    if not isinstance(block, Shown):
        # All pages are in one file: prefix each anchor with the page's name.
        return made.replace('href="#', f'href="#{page.name}-')
    name = f"{page.name}-{block.key}"
    made = made.replace(f'id="{block.key}"', f'id="{name}"')
    rows = block.picked(reading[sql]).drop(columns=charts.HREF, errors="ignore")
    if rows.empty:
        made += markup.empty(block.empty)
    elif block.draw:
        specs[f"chart-{name}"] = block.draw(rows).to_dict()
        made += f'<div class="rh-chart" id="chart-{name}"></div>{markup.how(sql, rows)}'
    else:
        made += markup.table(rows, TABLE_ROWS)
    return f"<section>{made}</section>"


def write_pictures(settings: Settings, folder: Path) -> list[Path]:
    """Write the main charts as PNG, light and on an opaque ground; return the paths."""
    import vl_convert

    blocks = pages()["catalogue"].at(At())
    reading = Serving(Published(settings)).read(questions(blocks))
    written = []
    for block in flat(blocks):
        if not isinstance(block, Shown) or block.title not in PICTURES:
            continue
        rows = block.picked(reading[tidy(block.sql)])
        if rows.empty or not block.draw:
            raise ReelhouseError(
                f"There is no chart '{block.title}' to draw: {block.empty}"
            )
        drawn = charts.themed(block.draw(rows), LIGHT, font=PICTURE_FONT)
        spec = drawn.to_dict() | {"width": 640, "background": LIGHT.ground}
        spec |= {"padding": 12, "title": block.title}
        path = folder / f"{PICTURES[block.title]}.png"
        _write(path, small(vl_convert.vegalite_to_png(spec, scale=1.5)))
        written.append(path)
    return written


def small(picture: bytes) -> bytes:
    """Return a PNG with few colours, a tenth of the size."""
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
    """Return a value as JSON that cannot end the script element it is in."""
    return json.dumps(value).replace("<", "\\u003c")


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step; create its folder if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with naming(path):
            scratch.write_bytes(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
