"""How big everything is for a given number of ratings.

The releases of MovieLens were not made by one rule, so neither is this: a table of
known sizes, and straight lines between them. The first two rows are our own: small
sets with few movies, so that many of them have more than a hundred ratings.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

MIN_RATINGS = 1_000
MAX_RATINGS = 100_000_000


@dataclass(frozen=True)
class Shape:
    """Sizes of one data set. All are counts unless they say otherwise.

    Attributes:
        ratings: rows of ratings.csv.
        movies: rows of movies.csv and of links.csv.
        users: users who rate.
        tags: about the rows of tags.csv.
        genome_movies: movies with genome scores.
        genome_tags: rows of genome-tags.csv.
        rank_offset: r in the popularity law (rank + r) ** -1.7; small is steep.
        unrated: movies that are tagged and never rated.
        outer_spaces: titles with white space at an end.
        yearless: titles without a year.
        twin_titles: pairs of movies with the same title.
        no_genres: movies with '(no genres listed)'.
        blank_tmdb: movies without a tmdbId.
        noisy_relevance: scores in a thousand with a 17-digit relevance.
        late_users: how much busier the last two years are, in tenths.
    """

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


_KNOTS = (
    Shape(1_000, 160, 30, 120, 40, 30, 60, 3, 4, 3, 2, 3, 3, 120, 40),
    Shape(28_000, 900, 340, 1_300, 420, 110, 110, 8, 6, 5, 3, 6, 5, 120, 35),
    Shape(100_836, 9_742, 610, 3_683, 1_200, 200, 270, 18, 11, 12, 5, 34, 8, 200, 12),
    Shape(
        20_000_263, 27_278, 138_493, 465_564, 10_381, 1_128, 220,
        534, 206, 20, 16, 246, 252, 500, 10,
    ),
    Shape(
        25_000_095, 62_423, 162_541, 1_093_360, 13_816, 1_128, 250,
        3_376, 155, 411, 98, 5_062, 107, 500, 10,
    ),
    Shape(
        32_000_204, 87_585, 200_948, 2_000_072, 16_376, 1_128, 270,
        3_100, 156, 616, 198, 7_080, 124, 500, 10,
    ),
)  # fmt: skip


def shape_of(ratings: int) -> Shape:
    """The sizes for a number of ratings.

    Beyond the largest known release only ratings, users and tags grow.
    """
    last = _KNOTS[-1]
    if ratings >= last.ratings:
        grown = {
            name: getattr(last, name) * ratings // last.ratings
            for name in ("users", "tags")
        }
        return Shape(**{**last.__dict__, **grown, "ratings": ratings})
    upper = bisect_right(_KNOTS, ratings, key=lambda knot: knot.ratings)
    left, right = _KNOTS[upper - 1], _KNOTS[upper]
    sizes = {
        name: low
        + (getattr(right, name) - low)
        * (ratings - left.ratings)
        // (right.ratings - left.ratings)
        for name, low in left.__dict__.items()
    }
    return Shape(**sizes)
