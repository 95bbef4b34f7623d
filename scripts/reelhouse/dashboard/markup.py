"""Markup: HTML of our own, in which data is text and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from reelhouse.dashboard.panels import Figure


def head(title: str, says: str) -> str:
    return f'<div class="rh-head"><h1>{escape(title)}</h1><p>{escape(says)}</p></div>'


def section(title: str) -> str:
    return f'<h2 class="rh-section">{escape(title)}</h2>'


def titled(title: str, says: str = "") -> str:
    said = f'<p class="rh-says">{escape(says)}</p>' if says else ""
    return f'<h3 class="rh-title">{escape(title)}</h3>{said}'


def empty(why: str) -> str:
    return f'<p class="rh-empty">{escape(why)}</p>'


def figures(shown: Iterable[Figure]) -> str:
    cells = "".join(
        f'<div><div class="rh-name">{escape(each.name)}</div>'
        f'<div class="rh-value">{escape(each.value)}</div>'
        f'<div class="rh-more">{escape(each.more)}</div></div>'
        for each in shown
    )
    return f'<div class="rh-figures">{cells}</div>'


def facts(values: dict[str, str]) -> str:
    """Names and values in one paragraph; those without a value are left out."""
    parts = [
        f"{escape(name)} <b>{escape(value)}</b>"
        for name, value in values.items()
        if value
    ]
    return f'<p class="rh-facts">{" · ".join(parts)}</p>'


def link(address: str, words: str) -> str:
    """A link that opens beside the page; none for what is no web address."""
    if not address.startswith("https://"):
        return ""
    return (
        f'<a href="{escape(address)}" target="_blank" rel="noopener noreferrer">'
        f"{escape(words)}</a>"
    )
