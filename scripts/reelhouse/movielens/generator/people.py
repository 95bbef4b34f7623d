"""The users: how much they rate, since when, how kindly, and what they like."""

from __future__ import annotations

import itertools
from calendar import timegm
from dataclasses import dataclass

import numpy as np

from reelhouse.movielens.generator.catalogue import (
    FIRST_RATED_YEAR,
    Catalogue,
)
from reelhouse.movielens.generator.chance import Ints, draw, pick_table, shuffled
from reelhouse.movielens.generator.shape import Shape
from reelhouse.movielens.generator.words import FIGURES, mask

DAY = 86_400
START = timegm((1996, 1, 29, 0, 0, 0))
END = timegm((2018, 9, 26, 0, 0, 0))
TAGS_SINCE = timegm((2006, 1, 1, 0, 0, 0))
LEAST_RATINGS = 20
_PROPORTIONAL_ROUNDS = 64

# A data set as small as ml-latest-small has months without ratings.
_QUIET_BELOW = 1_000_000
QUIET_SHIFT = 31 * DAY


@dataclass(frozen=True)
class People:
    """All users who rate, in the order of their ids, and those who only tag.

    Attributes:
        user_ids: ascending, with gaps where users only tag.
        counts: ratings of each; they add up to the data set's.
        starts: moment of the first session, seconds since 1970 UTC.
        kindness: added to a user's ratings, in thousandths of a star.
        tastes: index into `taste_masks`.
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
    """The genres of each taste as bits."""
    return np.array([mask(names) for names in FIGURES["tastes"]])


def years_of(moments: Ints) -> Ints:
    """The UTC calendar year of each moment."""
    years = (moments // DAY).astype("datetime64[D]").astype("datetime64[Y]")
    return 1970 + years.astype(np.int64)


def _months() -> list[tuple[int, int]]:
    firsts = np.arange("1996-02", "2018-10", dtype="datetime64[M]")
    seconds = firsts.astype("datetime64[s]").astype(np.int64).tolist()
    return list(itertools.pairwise([START, *seconds, END]))


def _quiet_months(shape: Shape, seed: int) -> tuple[tuple[int, int], ...]:
    """Return four months of the first years, no two adjacent; none for a large set."""
    if shape.ratings >= _QUIET_BELOW:
        return ()
    months = _months()
    late = draw(seed, "quiet", np.arange(4)).high % 8
    return tuple(months[12 + 9 * i + each] for i, each in enumerate(late.tolist()))


def _draw_starts(shape: Shape, seed: int, count: int) -> Ints:
    months = _months()
    firsts: Ints
    firsts, after = np.array(months).T
    days = (after - firsts) // DAY
    years = FIRST_RATED_YEAR + np.arange(len(months)) // 12
    busy = 60 + draw(seed, "busy years", years).high % 90
    busy[-24:] = 10 * shape.late_users
    numbers = np.arange(count)
    month = draw(seed, "start month", numbers).of(pick_table(busy * days, 20))
    day = draw(seed, "start day", numbers).below(days[month])
    clock = draw(seed, "start hour", numbers)
    hour = clock.of(pick_table(FIGURES["hours"], 12))
    return firsts[month] + day * DAY + hour * 3_600 + clock.more(32).below(3_600)


def _share_out(total: int, wishes: Ints, limits: Ints) -> Ints:
    """Share `total` out as integers, near the wishes' proportions, within `limits`."""
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

    # Users cannot rate more movies than were out at their first session.
    released = np.sort(catalogue.years[catalogue.weights > 0])
    seen = np.searchsorted(released, years_of(starts), side="right")
    limits = np.minimum(shape.movies * 7 // 10, seen * 8 // 10)
    limits = np.maximum(limits, LEAST_RATINGS)
    wishes = draw(seed, "activity", numbers).lognormal(47.9, 1.5, 16)
    counts = _share_out(shape.ratings, wishes + 1, limits)

    only_tag = max(4, count // 400)
    everyone = np.arange(1, count + only_tag + 1)
    taggers = 2 + shuffled(seed, "only tag", count)[:only_tag]
    return People(
        user_ids=np.setdiff1d(everyone, taggers),
        counts=counts,
        starts=starts,
        kindness=draw(seed, "kindness", numbers).normal(390),
        tastes=draw(seed, "taste", numbers).below(len(FIGURES["tastes"])),
        tagger_ids=np.sort(taggers),
        quiet=quiet,
    )
