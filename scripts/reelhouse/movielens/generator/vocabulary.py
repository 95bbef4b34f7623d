"""The tags: a genome's vocabulary, and what users type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reelhouse.movielens.generator.chance import Ints
from reelhouse.movielens.generator.words import GENRES, WORDS, mask


@dataclass(frozen=True)
class Genome:
    """The genome's tags, in the order of their ids (1, 2, …), sorted by code point.

    Attributes:
        tags: the texts.
        genre_masks: genres that a tag fits, as bits; 0 for tags of any genre.
        loadings: 1 where a tag praises, -1 where it blames, else 0.
    """

    tags: list[str]
    genre_masks: Ints
    loadings: Ints


def _best_known_first() -> list[tuple[str, int, int]]:
    """(tag, genre mask, loading), the tags that a small genome has first."""
    columns: list[list[tuple[str, int, int]]] = [
        [(tag, mask([name]), 0) for tag in tags]
        for name, tags in WORDS["genre_tags"].items()
    ]
    columns.append([(tag, 0, 0) for tag in WORDS["plain_tags"]])
    columns.append([(tag, 0, 1) for tag in WORDS["praise_tags"]])
    columns.append([(tag, 0, -1) for tag in WORDS["blame_tags"]])
    result = [("007", 0, 0)]
    for depth in range(max(map(len, columns))):
        result.extend(column[depth] for column in columns if depth < len(column))
    moods = [(mood, mask([genre])) for mood, genre in WORDS["moods"]]
    for part in WORDS["parts"]:
        result.extend((f"{mood} {part}", genres, 0) for mood, genres in moods)
    known: dict[str, tuple[str, int, int]] = {}
    for entry in result:
        known.setdefault(entry[0], entry)
    return list(known.values())


def make_genome(size: int) -> Genome:
    """The vocabulary of a genome of this size, at most 1,128."""
    chosen = sorted(_best_known_first()[:size])
    return Genome(
        tags=[tag for tag, _, _ in chosen],
        genre_masks=np.array([mask for _, mask, _ in chosen], dtype=np.int64),
        loadings=np.array([loading for _, _, loading in chosen], dtype=np.int64),
    )


@dataclass(frozen=True)
class Typed:
    """What users type, in groups: one per genre, then plain, praise, blame, notes.

    Attributes:
        tags: the texts of all groups, one after another.
        firsts, sizes: where each group starts and how long it is.
    """

    tags: list[str]
    firsts: Ints
    sizes: Ints


PLAIN, PRAISE, BLAME, NOTES = (len(GENRES) + i for i in range(4))


def make_typed() -> Typed:
    """The vocabulary of user tags."""
    groups = [WORDS["genre_tags"][name] for name in GENRES]
    groups += [WORDS[f"{kind}_tags"] for kind in ("plain", "praise", "blame", "typed")]
    sizes = np.array([len(group) for group in groups], dtype=np.int64)
    return Typed(
        tags=[tag for group in groups for tag in group],
        firsts=np.cumsum(sizes) - sizes,
        sizes=sizes,
    )
