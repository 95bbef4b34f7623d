"""The users: how much they rate, since when, how kindly, and what they like."""

from __future__ import annotations

import itertools
from calendar import timegm
from dataclasses import dataclass

import numpy as np

from reelhouse.movielens.generator import words
from reelhouse.movielens.generator.catalogue import (
    FIRST_RATED_YEAR,
    LAST_YEAR,
    Catalogue,
)
from reelhouse.movielens.generator.chance import (
    NORMAL_ONE,
    Ints,
    below,
    below_each,
    draw,
    draw_one,
    lognormal,
    normal,
    pick,
    pick_table,
    shuffled,
    stream_key,
)
from reelhouse.movielens.generator.shape import Shape

DAY = 86_400
START = timegm((1996, 1, 29, 0, 0, 0))
END = timegm((2018, 9, 26, 0, 0, 0))
TAGS_SINCE = timegm((2006, 1, 1, 0, 0, 0))
LEAST_RATINGS = 20
_PROPORTIONAL_ROUNDS = 64

# A set as small as latest-small has months in which nobody came.
_QUIET_BELOW = 1_000_000
QUIET_SHIFT = 31 * DAY

# How many of a hundred sessions start in each hour of the day (UTC).
_HOURS = (5, 5, 5, 4, 4, 3, 2, 2, 2, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 7, 7, 6, 5)

TASTES = (
    ("Action", "Adventure", "Sci-Fi"),
    ("Drama", "Romance"),
    ("Comedy", "Romance"),
    ("Crime", "Mystery", "Thriller", "Film-Noir"),
    ("Animation", "Children", "Fantasy", "Musical"),
    ("Horror", "Sci-Fi", "Thriller"),
    ("Documentary", "War", "Western", "Drama"),
)


@dataclass(frozen=True)
class People:
    """All users who rate, in the order of their ids, and those who only tag.

    Attributes:
        user_ids: ascending, with gaps where users only tag.
        counts: ratings of each; they add up to the data set's.
        starts: moment of the first session, seconds since 1970 UTC.
        kindness: added to a user's ratings, in thousandths of a star.
        tastes: index into TASTES.
        tagger_ids: ids of users who only tag.
        quiet: months without ratings, as (first second, second after the last).
    """

    user_ids: Ints
    counts: Ints
    starts: Ints
    kindness: Ints
    tastes: Ints
    tagger_ids: Ints
    quiet: tuple[tuple[int, int], ...]


def taste_masks() -> Ints:
    """The genres of each taste as bits, in the order of TASTES."""
    return np.array(
        [sum(1 << words.GENRES.index(name) for name in names) for names in TASTES],
        dtype=np.int64,
    )


def years_of(moments: Ints) -> Ints:
    """The UTC calendar year of each moment between START and END."""
    first = START // DAY
    days = np.arange(first, END // DAY + 2) * DAY
    new_years = [
        timegm((year, 1, 1, 0, 0, 0))
        for year in range(FIRST_RATED_YEAR + 1, LAST_YEAR + 1)
    ]
    table = FIRST_RATED_YEAR + np.searchsorted(np.array(new_years), days, side="right")
    years: Ints = table[moments // DAY - first]
    return years


def _months() -> list[tuple[int, int]]:
    firsts = [
        timegm((year, month, 1, 0, 0, 0))
        for year in range(FIRST_RATED_YEAR, LAST_YEAR + 1)
        for month in range(1, 13)
    ]
    bounds = [START, *(first for first in firsts if START < first < END), END]
    return list(itertools.pairwise(bounds))


def _quiet_months(shape: Shape, seed: int) -> tuple[tuple[int, int], ...]:
    """Four months of the first years, none beside another."""
    if shape.ratings >= _QUIET_BELOW:
        return ()
    key = stream_key(seed, "quiet")
    months = _months()
    chosen = [12 + 9 * i + (draw_one(key, i) >> 32) % 8 for i in range(4)]
    return tuple(months[number] for number in chosen)


def _draw_starts(shape: Shape, seed: int, count: int) -> Ints:
    months = _months()
    year_key = stream_key(seed, "busy years")
    shares = []
    for number, (first, after) in enumerate(months):
        year = FIRST_RATED_YEAR + number // 12
        busy = 60 + (draw_one(year_key, year) >> 32) % 90
        if number >= len(months) - 24:
            busy = 10 * shape.late_users
        shares.append(busy * ((after - first) // DAY))
    table = pick_table(np.array(shares, dtype=np.int64), 20)
    numbers = np.arange(count)
    month = pick(table, draw(stream_key(seed, "start month"), numbers))
    first_day = np.array([first for first, _ in months], dtype=np.int64)[month]
    days = np.array([(after - first) // DAY for first, after in months])[month]
    day = below_each(draw(stream_key(seed, "start day"), numbers), days)
    clock = draw(stream_key(seed, "start hour"), numbers)
    hour = pick(pick_table(np.array(_HOURS, dtype=np.int64), 12), clock)
    second = below(clock << np.uint64(32), 3_600)
    return first_day + day * DAY + hour * 3_600 + second


def _share_out(total: int, wishes: Ints, limits: Ints) -> Ints:
    """Integers near the wishes' proportions, within their limits, adding to total."""
    counts = np.full(len(wishes), LEAST_RATINGS, dtype=np.int64)
    for round_ in itertools.count():
        left = total - int(counts.sum())
        open_ = np.where(counts < limits, wishes, 0)
        if left <= 0 or not open_.any():
            break
        step = open_ * left // int(open_.sum())
        if round_ >= _PROPORTIONAL_ROUNDS or not step.any():
            # Few are left: one more each for the first users with room.
            step[:] = 0
            step[np.flatnonzero(open_)[:left]] = 1
        counts = np.minimum(counts + step, limits)
    if int(counts.sum()) != total:
        raise ArithmeticError(f"{total} ratings do not fit {len(wishes)} users")
    return counts


def make_people(shape: Shape, catalogue: Catalogue, seed: int) -> People:
    """All users of a data set of this shape."""
    count = shape.users
    numbers = np.arange(count)
    starts = _draw_starts(shape, seed, count)
    quiet = _quiet_months(shape, seed)

    # Nobody can rate more movies than had appeared when they came.
    released = np.sort(catalogue.years[catalogue.weights > 0])
    seen = np.searchsorted(released, years_of(starts), side="right")
    limits = np.minimum(shape.movies * 7 // 10, seen * 8 // 10)
    limits = np.maximum(limits, LEAST_RATINGS)
    wishes = lognormal(draw(stream_key(seed, "activity"), numbers), 47.9, 1.5, 16)
    counts = _share_out(shape.ratings, wishes + 1, limits)

    only_tag = max(4, count // 400)
    everyone = np.arange(1, count + only_tag + 1)
    taggers = 2 + shuffled(stream_key(seed, "only tag"), count)[:only_tag]
    kindness = normal(draw(stream_key(seed, "kindness"), numbers)) * 390 // NORMAL_ONE
    return People(
        user_ids=np.setdiff1d(everyone, taggers),
        counts=counts,
        starts=starts,
        kindness=kindness.astype(np.int64),
        tastes=below(draw(stream_key(seed, "taste"), numbers), len(TASTES)),
        tagger_ids=np.sort(taggers),
        quiet=quiet,
    )
