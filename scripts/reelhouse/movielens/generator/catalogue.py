"""The movies: ids, titles, years, genres, links, popularity and how good they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reelhouse.movielens.generator import words
from reelhouse.movielens.generator.chance import (
    NORMAL_ONE,
    Ints,
    below,
    draw,
    normal,
    pick,
    pick_table,
    rank_weights,
    shuffled,
    stream_key,
)
from reelhouse.movielens.generator.shape import Shape
from reelhouse.movielens.generator.titles import Dice, make_title

FIRST_RATED_YEAR = 1996
LAST_YEAR = 2018

# Of a thousand movies, how many have exactly these genres. The rest is made of
# CLUSTERS, in which every genre has a chance (in a hundred) of its own.
_PLAIN_GENRES = {
    "Drama": 108,
    "Comedy": 97,
    "Comedy|Drama": 45,
    "Comedy|Romance": 37,
    "Drama|Romance": 36,
    "Documentary": 38,
    "Documentary|Drama": 4,
    "Comedy|Documentary": 3,
    "Comedy|Drama|Romance": 28,
    "Drama|Thriller": 17,
    "Horror": 17,
    "Horror|Thriller": 14,
    "Crime|Drama": 14,
    "Crime|Drama|Thriller": 13,
    "Drama|War": 12,
    "Comedy|Crime": 10,
    "Action|Comedy": 9,
    "Thriller": 9,
    "Children|Comedy": 8,
    "Comedy|Horror": 7,
    "Action|Adventure|Sci-Fi": 7,
    "Action|Crime|Thriller": 7,
    "Action|Drama": 6,
    "Action|Crime|Drama|Thriller": 6,
    "Action": 6,
    "Action|Thriller": 6,
    "Horror|Sci-Fi": 5,
}
_CLUSTERS: tuple[tuple[int, dict[str, int]], ...] = (
    (
        130,
        {
            "Action": 75,
            "Adventure": 50,
            "Sci-Fi": 46,
            "Thriller": 38,
            "Fantasy": 20,
            "Drama": 20,
            "Comedy": 15,
            "IMAX": 11,
            "Crime": 10,
            "War": 3,
            "Western": 3,
        },
    ),
    (
        95,
        {
            "Children": 60,
            "Animation": 62,
            "Comedy": 60,
            "Adventure": 45,
            "Fantasy": 40,
            "Musical": 18,
            "Drama": 12,
            "Romance": 10,
            "Sci-Fi": 5,
            "IMAX": 2,
        },
    ),
    (
        85,
        {
            "Crime": 55,
            "Mystery": 48,
            "Thriller": 55,
            "Drama": 70,
            "Action": 30,
            "Comedy": 20,
            "Romance": 15,
            "Film-Noir": 11,
        },
    ),
    (
        58,
        {
            "Horror": 97,
            "Sci-Fi": 48,
            "Thriller": 45,
            "Mystery": 30,
            "Comedy": 30,
            "Fantasy": 15,
            "Action": 15,
            "Adventure": 5,
        },
    ),
    (
        70,
        {
            "Drama": 90,
            "Romance": 60,
            "Comedy": 40,
            "War": 30,
            "Musical": 22,
            "Western": 18,
            "Adventure": 15,
            "Action": 12,
            "Fantasy": 10,
            "Crime": 10,
        },
    ),
)
# Of a thousand movies, how many appeared in the years from the first to the last.
_DECADES = (
    (1902, 1919, 2),
    (1920, 1929, 4),
    (1930, 1939, 14),
    (1940, 1949, 20),
    (1950, 1959, 29),
    (1960, 1969, 41),
    (1970, 1979, 51),
    (1980, 1989, 121),
    (1990, 1999, 227),
    (2000, 2009, 292),
    (2010, LAST_YEAR, 199),
)
# Thousandths of a star that a genre adds, and points of popularity (of 4096).
_GENRE_TASTE = {
    "Film-Noir": (250, 0),
    "War": (140, 200),
    "Documentary": (140, -2400),
    "Drama": (60, -400),
    "Animation": (60, 500),
    "Crime": (60, 600),
    "Mystery": (60, 300),
    "Horror": (-160, -600),
    "Children": (-60, 300),
    "Action": (-50, 1000),
    "Adventure": (0, 1100),
    "Sci-Fi": (-30, 900),
    "IMAX": (80, 2200),
    "Comedy": (-50, 0),
    "Thriller": (0, 400),
}


@dataclass(frozen=True)
class Catalogue:
    """All movies, in the order of their ids; every array has one entry per movie.

    Attributes:
        movie_ids: ascending.
        titles: as the file holds them.
        years: of release (the first, for a range), known even if the title has none.
        genre_masks: bit g is words.GENRES[g]; 0 is '(no genres listed)'.
        imdb_ids, tmdb_ids: texts; a tmdbId may be empty.
        ranks: 0 for the most popular.
        weights: of being chosen by a rater; 0 for movies that nobody rates.
        effects: of the movie on its ratings, in thousandths of a star; their
            mean over the weights is 0.
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

    def genres(self, position: int) -> list[str]:
        """The genres of a movie, in the order of words.GENRES."""
        mask = int(self.genre_masks[position])
        return [name for bit, name in enumerate(words.GENRES) if mask >> bit & 1]


def _mask(genres: str) -> int:
    return sum(1 << words.GENRES.index(name) for name in genres.split("|"))


def _draw_genres(seed: int, count: int) -> Ints:
    key = stream_key(seed, "genres")
    shares = [*_PLAIN_GENRES.values(), *(share for share, _ in _CLUSTERS)]
    table = pick_table(np.array(shares, dtype=np.int64), 16)
    kinds = pick(table, draw(key, np.arange(count)))
    plain = np.array([_mask(genres) for genres in _PLAIN_GENRES], dtype=np.int64)
    masks = plain[np.minimum(kinds, len(plain) - 1)]
    for number, (_, chances) in enumerate(_CLUSTERS):
        members = np.flatnonzero(kinds == len(plain) + number)
        mixed = np.zeros(len(members), dtype=np.int64)
        for name, chance in chances.items():
            bit = words.GENRES.index(name)
            member_key = stream_key(seed, f"genre {name}")
            hit = below(draw(member_key, members), 100) < chance
            mixed |= hit.astype(np.int64) << bit
        fallback = _mask("|".join(list(chances)[:2]))
        masks[members] = np.where(mixed == 0, fallback, mixed)
    return masks


def _draw_years(seed: int, count: int) -> Ints:
    key = stream_key(seed, "years")
    shares = np.array([share for _, _, share in _DECADES], dtype=np.int64)
    decade = pick(pick_table(shares, 16), draw(key, np.arange(count)))
    first = np.array([low for low, _, _ in _DECADES], dtype=np.int64)[decade]
    span = np.array([high - low + 1 for low, high, _ in _DECADES], dtype=np.int64)
    within = draw(stream_key(seed, "year within"), np.arange(count)) >> np.uint64(32)
    return first + (within.astype(np.int64) % span[decade])


def _by_genre(masks: Ints, column: int) -> Ints:
    total = np.zeros(len(masks), dtype=np.int64)
    for name, values in _GENRE_TASTE.items():
        total += (masks >> words.GENRES.index(name) & 1) * values[column]
    return total


def _draw_ids(seed: int, count: int) -> Ints:
    key = stream_key(seed, "movie ids")
    words_ = draw(key, np.arange(count))
    dense = 1 + (below(words_, 16) == 0)
    sparse = 1 + below(words_, max(3, 240_000 // count))
    steps = np.where(np.arange(count) < count // 3, dense, sparse)
    return np.cumsum(steps.astype(np.int64))


def _draw_imdb(seed: int, years: Ints) -> list[str]:
    dice_key = stream_key(seed, "imdb")
    seen: set[int] = set()
    result = []
    for position, year in enumerate(years.tolist()):
        dice = Dice(dice_key, position)
        while True:
            kind = dice.below(100)
            if year >= 2016 and kind < 30:
                number = 10_000_000 + dice.below(3_000_000)
            elif year < 2005 or kind >= 62:
                number = 439 + dice.below(999_000)
            else:
                number = 200_000 + dice.below(6_700_000)
            if number not in seen:
                break
        seen.add(number)
        result.append(f"{number:07d}")
    return result


def _draw_tmdb(seed: int, count: int, blanks: Ints, shared: Ints) -> list[str]:
    dice_key = stream_key(seed, "tmdb")
    seen: set[int] = set()
    result = []
    for position in range(count):
        dice = Dice(dice_key, position)
        number = 2 + dice.below(520_000)
        while number in seen:
            number = 2 + dice.below(520_000)
        seen.add(number)
        result.append(str(number))
    for position in blanks.tolist():
        result[position] = ""
    for start in range(0, len(shared) - 2, 3):
        for position in shared[start + 1 : start + 3].tolist():
            result[position] = result[int(shared[start])]
    return result


class _Spots:
    """Hands out positions of little-known movies for oddities, each only once."""

    def __init__(self, seed: int, ranks: Ints) -> None:
        order = shuffled(stream_key(seed, "oddities"), len(ranks))
        famous = max(30, len(ranks) // 25)
        self._left: Ints = order[ranks[order] >= famous]

    def take(self, count: int) -> Ints:
        taken, self._left = self._left[:count], self._left[count:]
        return taken


_YEAR_ENDINGS = (
    "{title} ({year}–{next})",
    "{title} ({year}-{later})",
    "{title} ({year}-)",
    '"{title}" ({year}– )',
    "{title} ({year}))",
    "{title} ({year}) ({year})",
)


def _plain_titles(seed: int, years: Ints, masks: Ints) -> list[str]:
    """Titles without year; no two movies of a year share one."""
    key = stream_key(seed, "titles")
    seen: set[tuple[str, int]] = set()
    titles = []
    for position, (year, mask) in enumerate(
        zip(years.tolist(), masks.tolist(), strict=True)
    ):
        dice = Dice(key, position)
        genres = [name for bit, name in enumerate(words.GENRES) if mask >> bit & 1]
        title = make_title(dice, genres)
        while (title, year) in seen:
            title = make_title(dice, genres)
        seen.add((title, year))
        titles.append(title)
    return titles


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
        titles[position] = _YEAR_ENDINGS[number % len(_YEAR_ENDINGS)].format(
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
    dice_key = stream_key(seed, "quoted titles")
    for position in spots.take(3 + count // 3_000).tolist():
        dice = Dice(dice_key, position)
        nickname = dice.choose(words.MATERIALS)
        surname = dice.choose(words.SURNAMES)
        first = dice.choose(words.PEOPLE)
        titles[position] = f'{first} "{nickname}" {surname} ({years[position]})'
    return titles


def make_catalogue(shape: Shape, seed: int) -> Catalogue:
    """All movies of a data set of this shape."""
    count = shape.movies
    masks = _draw_genres(seed, count)
    years = _draw_years(seed, count)
    numbers = np.arange(count)

    # Known well: recent enough to be seen, of a popular genre, and luck.
    fame = normal(draw(stream_key(seed, "fame"), numbers)).astype(np.int64)
    fame += _by_genre(masks, 1) - np.maximum(0, 1985 - years) * 40
    # Movies enter the catalogue in the order of years, old ones when someone asks.
    asked = below(draw(stream_key(seed, "asked"), numbers), 24_000)
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
    # Tags came in 2006, and a movie that is only tagged must be out by then.
    obscure = np.flatnonzero((ranks >= count // 2) & (years < 2006))
    lonely = obscure[shuffled(stream_key(seed, "unrated"), len(obscure))]
    weights[lonely[: shape.unrated]] = 0

    effects = normal(draw(stream_key(seed, "quality"), numbers)) * 315 // NORMAL_ONE
    effects = effects + _by_genre(masks, 0) + (count - 2 * ranks) * 190 // count
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
        effects=effects.astype(np.int64),
    )
