"""The movies: ids, titles, years, genres, links, popularity and quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reelhouse.movielens.generator.chance import (
    NORMAL_ONE,
    Dice,
    Ints,
    draw,
    pick_table,
    rank_weights,
    shuffled,
)
from reelhouse.movielens.generator.shape import Shape
from reelhouse.movielens.generator.titles import make_title
from reelhouse.movielens.generator.words import FIGURES, GENRES, WORDS, mask, names

FIRST_RATED_YEAR = 1996
LAST_YEAR = 2018


@dataclass(frozen=True)
class Catalogue:
    """All movies, in the order of their ids; every array has one entry per movie.

    Attributes:
        movie_ids: ascending.
        titles: as the file holds them.
        years: of release (the first, for a range), known even if the title has none.
        genre_masks: as `words.mask` makes them; 0 is '(no genres listed)'.
        imdb_ids, tmdb_ids: texts; a tmdbId may be empty.
        ranks: 0 for the most popular.
        weights: chances of being chosen by a rater; 0 for movies that nobody rates.
        effects: of the movie on its ratings, in thousandths of a star; their
            mean, weighted by `weights`, is 0.
    """

    movie_ids: Ints
    titles: list[str]
    years: Ints
    genre_masks: Ints
    imdb_ids: list[str]
    tmdb_ids: list[str]
    ranks: Ints
    weights: Ints
    effects: Ints


def _draw_genres(seed: int, count: int) -> Ints:
    plain, mixed = FIGURES["plain_genres"], FIGURES["mixed_genres"]
    table = pick_table([*plain.values(), *(share for share, _ in mixed)], 16)
    kinds = draw(seed, "genres", np.arange(count)).of(table)
    of_plain = np.array([mask(genres.split("|")) for genres in plain])
    masks = of_plain[np.minimum(kinds, len(plain) - 1)]
    for number, (_, chances) in enumerate(mixed, len(plain)):
        members = np.flatnonzero(kinds == number)
        drawn = np.zeros(len(members), dtype=np.int64)
        for name, chance in chances.items():
            hit = draw(seed, f"genre {name}", members).below(100) < chance
            drawn |= hit * mask([name])
        masks[members] = np.where(drawn == 0, mask([*chances][:2]), drawn)
    return masks


def _draw_years(seed: int, count: int) -> Ints:
    firsts: Ints
    lasts: Ints
    firsts, lasts, shares = np.array(FIGURES["decades"]).T
    decade = draw(seed, "years", np.arange(count)).of(pick_table(shares, 16))
    within = draw(seed, "year within", np.arange(count)).high
    return firsts[decade] + within % (lasts - firsts + 1)[decade]


def _by_genre(masks: Ints, column: int) -> Ints:
    total = np.zeros(len(masks), dtype=np.int64)
    for name, values in FIGURES["genre_taste"].items():
        total += (masks >> GENRES.index(name) & 1) * values[column]
    return total


def _draw_ids(seed: int, count: int) -> Ints:
    drawn = draw(seed, "movie ids", np.arange(count))
    dense = 1 + (drawn.below(16) == 0)
    sparse = 1 + drawn.below(max(3, 240_000 // count))
    return np.cumsum(np.where(np.arange(count) < count // 3, dense, sparse))


def _draw_imdb(seed: int, years: Ints) -> list[str]:
    # A dict keeps the order in which they are drawn.
    seen: dict[str, None] = {}
    for position, year in enumerate(years.tolist()):
        dice = Dice(seed, "imdb", position)
        while len(seen) == position:
            kind = dice.below(100)
            if year >= 2016 and kind < 30:
                number = 10_000_000 + dice.below(3_000_000)
            elif year < 2005 or kind >= 62:
                number = 439 + dice.below(999_000)
            else:
                number = 200_000 + dice.below(6_700_000)
            seen[f"{number:07d}"] = None
    return [*seen]


def _draw_tmdb(seed: int, count: int, blanks: Ints, shared: Ints) -> list[str]:
    seen: dict[str, None] = {}
    for position in range(count):
        dice = Dice(seed, "tmdb", position)
        while len(seen) == position:
            seen[str(2 + dice.below(520_000))] = None
    result = [*seen]
    for position in blanks.tolist():
        result[position] = ""
    for start in range(0, len(shared) - 2, 3):
        for position in shared[start + 1 : start + 3].tolist():
            result[position] = result[int(shared[start])]
    return result


class _Spots:
    """Hands out positions of little-known movies for oddities, each only once."""

    def __init__(self, seed: int, ranks: Ints) -> None:
        order = shuffled(seed, "oddities", len(ranks))
        famous = max(30, len(ranks) // 25)
        self._left: Ints = order[ranks[order] >= famous]

    def take(self, count: int) -> Ints:
        taken, self._left = self._left[:count], self._left[count:]
        return taken


def _plain_titles(seed: int, years: Ints, masks: Ints) -> list[str]:
    """Titles without year; no two movies of a year share one."""
    seen: dict[tuple[str, int], None] = {}
    for position, year in enumerate(years.tolist()):
        dice = Dice(seed, "titles", position)
        genres = names(int(masks[position]))
        while len(seen) == position:
            seen[make_title(dice, genres), year] = None
    return [title for title, _ in seen]


def _odd_titles(
    plain: list[str], years: Ints, shape: Shape, spots: _Spots, seed: int
) -> list[str]:
    """The titles with their years, some of them as odd as in the real files."""
    titles = [
        f"{title} ({year})" for title, year in zip(plain, years.tolist(), strict=True)
    ]
    count = len(plain)
    for number, position in enumerate(spots.take(6 + count // 8_000).tolist()):
        year = int(years[position])
        form = FIGURES["odd_years"][number % len(FIGURES["odd_years"])]
        titles[position] = form.format(
            title=plain[position], year=year, next=year + 1, later=year + 4
        )
    for position in spots.take(shape.yearless).tolist():
        titles[position] = plain[position]
    for number, position in enumerate(spots.take(shape.outer_spaces).tolist()):
        before, after = (("", " "), (" ", ""), ("", "\u00a0"))[number % 8 % 3]
        titles[position] = before + titles[position] + after
    for number, position in enumerate(spots.take(4 + count // 4_000).tolist()):
        inner = ("  ", "\u00a0")[number % 2]
        head, _, tail = titles[position].partition(" ")
        titles[position] = head + inner + tail
    for position in spots.take(3 + count // 3_000).tolist():
        dice = Dice(seed, "quoted titles", position)
        lists = (WORDS[name] for name in ("materials", "surnames", "people"))
        nickname, surname, first = map(dice.choose, lists)
        titles[position] = f'{first} "{nickname}" {surname} ({years[position]})'
    return titles


def make_catalogue(shape: Shape, seed: int) -> Catalogue:
    """All movies of a data set of this shape."""
    count = shape.movies
    masks = _draw_genres(seed, count)
    years = _draw_years(seed, count)
    numbers = np.arange(count)

    # Fame is luck, plus popular genres, minus 40 for each year before 1985.
    fame = draw(seed, "fame", numbers).normal(NORMAL_ONE)
    fame += _by_genre(masks, 1) - np.maximum(0, 1985 - years) * 40
    # Movies enter in their year, or at a later random time from 1995 (famous sooner).
    asked = draw(seed, "asked", numbers).below(24_000)
    asked = np.where(fame > 0, asked // 4, asked)
    entered = np.maximum(years * 1000, (FIRST_RATED_YEAR - 1) * 1000 + asked)
    order = np.argsort(entered, kind="stable")
    masks, years, fame = masks[order], years[order], fame[order]

    by_fame = np.argsort(-fame, kind="stable")
    ranks = np.empty(count, dtype=np.int64)
    ranks[by_fame] = numbers
    weights = rank_weights(count, shape.rank_offset)[ranks]

    spots = _Spots(seed, ranks)
    twins = spots.take(2 * shape.twin_titles).reshape(2, -1)
    years[twins[1]] = years[twins[0]]
    masks[spots.take(shape.no_genres)] = 0
    # Tags began in 2006; a movie that is tagged but never rated must be out by then.
    obscure = np.flatnonzero((ranks >= count // 2) & (years < 2006))
    lonely = obscure[shuffled(seed, "unrated", len(obscure))]
    weights[lonely[: shape.unrated]] = 0

    effects = draw(seed, "quality", numbers).normal(315)
    effects += _by_genre(masks, 0) + (count - 2 * ranks) * 190 // count
    effects -= np.sum(effects * weights) // np.sum(weights)

    titles = _odd_titles(_plain_titles(seed, years, masks), years, shape, spots, seed)
    for first, second in twins.T.tolist():
        titles[second] = titles[first]
    return Catalogue(
        movie_ids=_draw_ids(seed, count),
        titles=titles,
        years=years,
        genre_masks=masks,
        imdb_ids=_draw_imdb(seed, years),
        tmdb_ids=_draw_tmdb(
            seed, count, spots.take(shape.blank_tmdb), spots.take(3 + count // 3_000)
        ),
        ranks=ranks,
        weights=weights,
        effects=effects,
    )
