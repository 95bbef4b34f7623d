"""The sizes of a data set for a given number of ratings.

The releases of MovieLens do not follow one rule, so sizes are interpolated linearly
between the known ones in figures.yml.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from reelhouse.movielens.generator.words import FIGURES

MIN_RATINGS = 1_000
MAX_RATINGS = 100_000_000


@dataclass(frozen=True)
class Shape:
    """Sizes of one data set; `sizes` in figures.yml describes each."""

    ratings: int
    movies: int
    users: int
    tags: int
    genome_movies: int
    genome_tags: int
    rank_offset: int
    unrated: int
    outer_spaces: int
    yearless: int
    twin_titles: int
    no_genres: int
    blank_tmdb: int
    noisy_relevance: int
    late_users: int


def shape_of(ratings: int) -> Shape:
    """The sizes for a number of ratings.

    Beyond the largest known release only ratings, users and tags grow.
    """
    sizes = FIGURES["sizes"]
    known = sizes["ratings"]
    if ratings >= known[-1]:
        last = {name: each[-1] for name, each in sizes.items()}
        grown = {name: last[name] * ratings // known[-1] for name in ("users", "tags")}
        return Shape(**(last | grown | {"ratings": ratings}))
    right = bisect_right(known, ratings)
    start, end = known[right - 1 : right + 1]
    return Shape(
        **{
            name: each[right - 1]
            + (each[right] - each[right - 1]) * (ratings - start) // (end - start)
            for name, each in sizes.items()
        }
    )
