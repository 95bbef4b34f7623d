"""Markup: blocks as HTML, in which all data is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from string import Formatter
from typing import Any

import pandas as pd

from reelhouse.dashboard.columns import called, dated, named, written
from reelhouse.dashboard.page import (
    SUBJECTS,
    Facts,
    Figures,
    Frame,
    Says,
    Section,
    Single,
    Verdict,
    address,
    slug,
)
from reelhouse.serving.metrics import Metric, metrics

# Bold words, and links to a page about something or to a web address.
MARKED = re.compile(r"\*\*(?P<bold>.+?)\*\*|\[(?P<words>.+?)\]\((?P<to>.+?)\)")
# A number and a plural noun, such as {rating_count:,} ratings.
COUNTED = re.compile(r"(\{([\w.]+):,[^}]*\} [a-z]{3,})s\b")
# Columns that are metrics under another name.
METRICS = {"rating_count": "ratings", "tag_count": "tags"}


class Missing(Exception):
    """A value that words need is missing."""


class Words(Formatter):
    """Fills in the values of an answer; raises Missing for a null."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None or pd.isna(value):
            raise Missing
        return str(super().format_field(value, format_spec))


def words(text: str, values: Mapping[str, Any], with_links: bool = False) -> str:
    """Return words of a page as HTML; raise Missing if a value is missing."""
    made, at = [], 0
    for mark in MARKED.finditer(text):
        made.append(_filled(text[at : mark.start()], values))
        if mark["bold"]:
            made.append(f"<b>{_filled(mark['bold'], values)}</b>")
        else:
            made.append(_link(mark["words"], mark["to"], values, with_links))
        at = mark.end()
    return "".join([*made, _filled(text[at:], values)])


def _filled(text: str, values: Mapping[str, Any]) -> str:
    def one(found: re.Match[str]) -> str:
        number, _ = Words().get_field(found[2], (), values)
        return found[1] if str(number) in {"1", "1.0"} else found[0]

    return escape(Words().vformat(COUNTED.sub(one, text), (), values))


def _link(text: str, to: str, values: Mapping[str, Any], with_links: bool) -> str:
    page, _, of = to.partition(" ")
    said = _filled(text, values)
    if page not in SUBJECTS:
        # Data may contain any address: link only to web addresses.
        where = Words().vformat(to, (), values)
        if not where.startswith("https://"):
            raise Missing
        return f'<a href="{escape(where)}" target="_blank" rel="noopener">{said}</a>'
    where = address(page, Words().vformat(of, (), values))
    return f'<a href="{where}" target="_self">{said}</a>' if with_links else said


def head(title: str, says: str) -> str:
    return f'<div class="rh-head"><h1>{escape(title)}</h1><p>{escape(says)}</p></div>'


def block(each: Single, frame: Frame, note: str = "", with_links: bool = False) -> str:
    """Return a block without its chart or table; `note` names filters it ignores."""
    unheard = _note("rh-unheard", note)
    match each:
        case Section():
            title = escape(each.title)
            if each.sql and frame.empty:
                return empty("Nothing here has this name or number.")
            if each.sql:
                title = words(each.title, dict(frame.astype(object).iloc[0]))
            return f'<h2 class="rh-section">{title}</h2>{_note("rh-says", each.says)}'
        case Says():
            said = says(each, frame, with_links)
            return said and said + unheard
        case Figures():
            return figures(each, frame) + unheard
    title = f'<h3 class="rh-title" id="{slug(each.title)}">{escape(each.title)}</h3>'
    told = each.says
    if each.to and with_links and not frame.empty:
        told += f" {'Click one' if each.draw else 'Pick a row'} to go to the {each.to}."
    return f"<div>{title}{_note('rh-says', told)}{unheard}</div>"


def says(block: Says, frame: Frame, with_links: bool = False) -> str:
    """Return a sentence, line of facts or verdict; '' if there is nothing to say."""
    values = block.told(frame)
    if values is None:
        return ""
    if isinstance(block, Facts):
        parts = []
        for part in block.words.split(" · "):
            try:
                parts.append(words(part, values, with_links))
            except Missing:
                continue
        return f'<p class="rh-facts">{" · ".join(parts)}</p>'
    try:
        said = words(block.words, values, with_links)
    except Missing:
        if not isinstance(block, Verdict):
            return ""
        # Show a verdict even if the values of its text are missing.
        said = words("{verdict}.", values)
    if isinstance(block, Verdict):
        kind = "rh-well" if values["is_well"] else "rh-ill"
        return f'<p class="rh-verdict {kind}" role="status">{said}</p>'
    if block.see:
        see = f'href="#{slug(block.see)}" title="{escape(block.see)}"'
        said += f" <a {see}>See below</a>"
    return f'<p class="rh-finding">{said}</p>'


def figures(block: Figures, frame: Frame) -> str:
    """Return figures, with a dash for what is missing."""
    values = {} if frame.empty else dict(frame.astype(object).iloc[0])
    cells = ""
    for name, (text, more) in block.shown.items():
        label, value = name, text and _or_dash(text, values)
        if not text:
            metric, found = metrics()[name], values.get(name)
            label = metric.label
            value = metric.text(None if pd.isna(found) else found)
            value += " ★" if metric.unit == "stars" and value != "–" else ""
        cells += (
            f'<div><div class="rh-name">{escape(label)}</div>'
            f'<div class="rh-value">{value}</div>'
            f'<div class="rh-more">{_or_dash(more, values, "")}</div></div>'
        )
    return f'<div class="rh-figures">{cells}</div>'


def _or_dash(text: str, values: Mapping[str, Any], instead: str = "–") -> str:
    try:
        return words(text, values)
    except (Missing, KeyError):
        return instead


def _note(kind: str, text: str) -> str:
    return f'<p class="{kind}">{escape(text)}</p>' if text else ""


def empty(why: str) -> str:
    return f'<p class="rh-empty">{escape(why)}</p>'


def table(frame: Frame, most: int) -> str:
    """The first rows as a table, and how many more there are."""
    frame, names = dated(frame, "%Y-%m-%d %H:%M"), named(frame)
    kinds = {name: ' class="n"' if written(name, frame) else "" for name in names}
    heads = "".join(f"<th{kinds[name]}>{escape(called(name))}</th>" for name in names)
    rows = "".join(
        f"<tr>{''.join(_cell(frame, name, row, kinds[name]) for name in names)}</tr>"
        for row in range(min(most, len(frame)))
    )
    left = f"And {len(frame) - most:,} more." if len(frame) > most else ""
    made = f'<table class="rh-table"><tr>{heads}</tr>{rows}</table>'
    return f'<div class="rh-scroll">{made}</div>{_note("rh-says", left)}'


def _cell(frame: Frame, name: str, row: int, kind: str) -> str:
    value, form = frame[name].iloc[row], written(name, frame)
    text = "" if pd.isna(value) else format(value, form)
    return f"<td{kind}>{escape(text)}</td>"


def definitions(frame: Frame) -> list[Metric]:
    """Return the metrics among the columns of an answer."""
    names = [METRICS.get(name, name) for name in frame]
    return [metrics()[name] for name in names if name in metrics()]


def how(sql: str, frame: Frame) -> str:
    """Return a collapsed section with a chart's query and its metrics' definitions."""
    meant = "".join(
        f"<li>{escape(each.label)}: {escape(each.description)}</li>"
        for each in definitions(frame)
    )
    return (
        f'<details class="rh-how"><summary>The query</summary>'
        f"<pre>{escape(sql)}</pre><ul>{meant}</ul></details>"
    )
