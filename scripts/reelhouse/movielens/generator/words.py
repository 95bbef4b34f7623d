"""The words and figures that the data is made of, from the yml files beside this."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import yaml


def _read(name: str) -> Any:
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


WORDS: dict[str, Any] = _read("words.yml")
FIGURES: dict[str, Any] = _read("figures.yml")
FAULTS: dict[str, Any] = _read("faults.yml")
GENRES: list[str] = WORDS["genres"]
NO_GENRES: str = WORDS["no_genres"]


def mask(genres: Iterable[str]) -> int:
    """Genres as bits: bit g is GENRES[g]."""
    return sum(1 << GENRES.index(name) for name in genres)


def names(mask: int) -> list[str]:
    """The genres of a mask, in the order of GENRES."""
    return [name for bit, name in enumerate(GENRES) if mask >> bit & 1]
