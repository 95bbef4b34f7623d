"""The tags: a genome's vocabulary, and what users type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reelhouse.movielens.generator import words
from reelhouse.movielens.generator.chance import Ints


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
    bits = {name: 1 << bit for bit, name in enumerate(words.GENRES)}
    columns: list[list[tuple[str, int, int]]] = [
        [(tag, bits[name], 0) for tag in tags]
        for name, tags in words.GENRE_TAGS.items()
    ]
    columns.append([(tag, 0, 0) for tag in words.PLAIN_TAGS])
    columns.append([(tag, 0, 1) for tag in words.PRAISE_TAGS])
    columns.append([(tag, 0, -1) for tag in words.BLAME_TAGS])
    result = [("007", 0, 0)]
    for depth in range(max(map(len, columns))):
        result.extend(column[depth] for column in columns if depth < len(column))
    for part in words.PARTS:
        result.extend((f"{mood} {part}", bits[name], 0) for mood, name in words.MOODS)
    known: dict[str, tuple[str, int, int]] = {}
    for entry in result:
        known.setdefault(entry[0], entry)
    return list(known.values())


def make_genome(size: int) -> Genome:
    """The vocabulary of a genome of this size.

    Raises:
        ValueError: there are not that many tags.
    """
    known = _best_known_first()
    if size > len(known):
        raise ValueError(f"a genome of {size} tags is asked for, {len(known)} exist")
    chosen = sorted(known[:size])
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


PLAIN, PRAISE, BLAME, NOTES = (len(words.GENRES) + i for i in range(4))


def make_typed() -> Typed:
    """The vocabulary of user tags."""
    groups = [words.GENRE_TAGS[name] for name in words.GENRES]
    groups += [
        words.PLAIN_TAGS, words.PRAISE_TAGS, words.BLAME_TAGS, words.TYPED_TAGS
    ]  # fmt: skip
    sizes = np.array([len(group) for group in groups], dtype=np.int64)
    return Typed(
        tags=[tag for group in groups for tag in group],
        firsts=np.cumsum(sizes) - sizes,
        sizes=sizes,
    )
