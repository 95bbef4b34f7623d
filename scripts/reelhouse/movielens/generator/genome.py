"""The genome: its tags, and how much each fits each scored movie."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from reelhouse.movielens.generator.catalogue import Catalogue
from reelhouse.movielens.generator.chance import NORMAL_ONE, Ints, draw, rounded
from reelhouse.movielens.generator.shape import Shape
from reelhouse.movielens.generator.words import WORDS, mask

# Relevances are multiples of 1/4,000, some of them a few units in the last place off.
STEPS = 4_000
_VARIANTS = 8
_MEDIAN_ODDS = 0.054 / 0.946
_STEEPNESS = 1.45
_LEVELS = 1_024
_REACH = 4

# Parts of a score, in units of 1/NORMAL_ONE of a standard deviation of the whole.
_CENTRE = 180
_NOISE, _TAG, _MATCH, _STRANGE = 2_900, 1_000, 7_000, -1_000
_TRAIT, _QUALITY = 4_200, 2_600
_TRAITS = 64
_BLOCK_ROWS = 1 << 18


@dataclass(frozen=True)
class Genome:
    """The genome's tags, in the order of their ids (1, 2, …), sorted by code point.

    Attributes:
        tags: the texts.
        genre_masks: genres that a tag fits, as bits; 0 for tags of any genre.
        loadings: 1 for a tag of praise, -1 for one of blame, else 0.
    """

    tags: list[str]
    genre_masks: Ints
    loadings: Ints


def _best_known_first() -> list[tuple[str, int, int]]:
    """Return (tag, genre mask, loading); a small genome has the first of them."""
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


@cache
def _steps_table() -> Ints:
    """Relevance, in units of 1/STEPS, for each level of the latent fit."""
    levels = range(-_REACH * _LEVELS, _REACH * _LEVELS)
    odds = [_MEDIAN_ODDS * math.exp(_STEEPNESS * level / _LEVELS) for level in levels]
    return np.array(
        [max(1, rounded(STEPS * each / (1 + each))) for each in odds], dtype=np.int64
    )


@cache
def _texts() -> list[str]:
    """The text of each step and variant, _VARIANTS of a step one after another.

    Variant 0 is the number; the others are doubles a few units in the last place
    off, in the shortest text that reads back as the same double, as in real files.
    """
    texts = []
    for step in range(STEPS):
        exact = step / STEPS
        near = [exact]
        for towards, count in ((0, 3), (1, 4)):
            value = exact
            for _ in range(count):
                value = math.nextafter(value, towards)
                near.append(value)
        texts += [str(value) if step else "0" for value in near]
    return texts


def scored_movies(shape: Shape, catalogue: Catalogue) -> Ints:
    """Positions of the movies with genome scores: the best known, in id order."""
    by_rank = np.argsort(catalogue.ranks, kind="stable")
    rated = by_rank[catalogue.weights[by_rank] > 0]
    return np.sort(rated[: shape.genome_movies])


def _steps(catalogue: Catalogue, genome: Genome, movies: Ints, seed: int) -> Ints:
    """Relevance of every tag (columns) for some movies (rows), in units of 1/STEPS."""
    tags = np.arange(len(genome.tags))
    cells = movies[:, None] * 4_096 + tags[None, :]
    latent = draw(seed, "relevance", cells).normal(_NOISE) + _CENTRE
    latent += draw(seed, "tag", tags).normal(_TAG)[None, :]

    masks = catalogue.genre_masks[movies][:, None]
    fits = (masks & genome.genre_masks[None, :]) != 0
    # A genre's tags fit some of its movies better than others.
    degree = draw(seed, "degree", cells).below(1_000)
    latent += np.where(fits, (300 + degree) * _MATCH // 1_300, 0)
    latent += np.where(~fits & (genome.genre_masks != 0)[None, :], _STRANGE, 0)

    trait = draw(seed, "trait", tags).below(_TRAITS)[None, :]
    of_movie = draw(seed, "movie trait", movies)
    for shift in (0, 16):
        own = of_movie.more(shift).below(_TRAITS)[:, None]
        latent += np.where(own == trait, _TRAIT, 0)
    effects = catalogue.effects[movies][:, None]
    latent += genome.loadings[None, :] * effects * _QUALITY // 300
    level = latent * _LEVELS // NORMAL_ONE + _REACH * _LEVELS
    return _steps_table()[np.clip(level, 0, 2 * _REACH * _LEVELS - 1)]


def genome_lines(
    shape: Shape, catalogue: Catalogue, genome: Genome, seed: int
) -> Iterator[tuple[int, bytes]]:
    """Yield (number of rows, their bytes) of genome-scores.csv, block by block."""
    movies = scored_movies(shape, catalogue)
    tag_count = len(genome.tags)
    texts = _texts()
    step = max(1, _BLOCK_ROWS // tag_count)
    for first in range(0, len(movies), step):
        block = movies[first : first + step]
        steps = _steps(catalogue, genome, block, seed)
        cells = block[:, None] * 4_096 + np.arange(tag_count)[None, :]
        drawn = draw(seed, "noisy relevance", cells)
        noisy = drawn.below(1_000) < shape.noisy_relevance
        variant = np.where(noisy, 1 + drawn.more(32).below(_VARIANTS - 1), 0)
        rows = zip(
            catalogue.movie_ids[block].tolist(),
            (steps * _VARIANTS + variant).tolist(),
            strict=True,
        )
        lines = [
            f"{movie},{tag},{texts[at]}\r\n"
            for movie, row in rows
            for tag, at in enumerate(row, start=1)
        ]
        yield len(lines), "".join(lines).encode()
