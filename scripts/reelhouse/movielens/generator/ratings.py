"""The ratings, in blocks of users.

A user has one slot for each rating. A slot gets its time first and its movie after
that, because nobody can rate a movie that is not out yet. All draws depend on the
number of the slot in the whole data set, so the size of a block changes no byte.
"""

from __future__ import annotations

import itertools
from calendar import timegm
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from reelhouse.movielens.generator.catalogue import Catalogue
from reelhouse.movielens.generator.chance import (
    Draws,
    Ints,
    draw,
    pick_table,
    rounded,
)
from reelhouse.movielens.generator.people import (
    END,
    QUIET_SHIFT,
    People,
    taste_masks,
    years_of,
)
from reelhouse.movielens.generator.words import FIGURES

HALF_STARS_SINCE = timegm((2003, 2, 18, 0, 0, 0))
BLOCK = 1 << 18

# Standard deviations in thousandths of a star: noise, and of all parts together.
_NOISE = 810
_TOTAL = 970
_LIKED_GENRE = (130, -70)

_CANDIDATES = 4
_SLOT_BITS = 24


@dataclass(frozen=True)
class Block:
    """The ratings of the users from first_user on, in the order of the file.

    Attributes:
        users: index into People, one per rating, ascending.
        positions: index into Catalogue; ascending within a user.
        halves: the rating in half stars, 1 to 10.
        moments: seconds since 1970 UTC.
    """

    users: Ints
    positions: Ints
    halves: Ints
    moments: Ints


def _stars(latent: Ints, shares: list[int]) -> Ints:
    """Half stars for latent values."""
    quantile = NormalDist(0, _TOTAL).inv_cdf
    passed = itertools.accumulate(shares[:-1])
    bounds = [rounded(quantile(each / 10_000)) if each else -np.inf for each in passed]
    return 1 + np.searchsorted(bounds, latent, side="right")


class RatingMaker:
    """Makes blocks of ratings; holds the tables that all blocks share."""

    def __init__(self, catalogue: Catalogue, people: People, seed: int) -> None:
        self._catalogue, self._people, self._seed = catalogue, people, seed
        self._firsts = np.cumsum(people.counts) - people.counts
        bits = max(18, len(catalogue.titles).bit_length() + 7)
        self.any_movie = pick_table(catalogue.weights, bits)
        masks = taste_masks()
        self._liked = (catalogue.genre_masks[None, :] & masks[:, None]) != 0
        self._by_taste = np.stack(
            [
                pick_table(catalogue.weights * np.where(row, 3, 1), bits - 3)
                for row in self._liked
            ]
        )
        self._rated = np.flatnonzero(catalogue.weights > 0)
        self._sure_users, self._sure_positions = self._spread_movies()

    def blocks(self) -> Iterator[Block]:
        """All ratings, block by block, in the order of the file."""
        counts = self._people.counts
        cumulative = np.cumsum(counts)
        first = 0
        while first < len(counts):
            done = int(cumulative[first - 1]) if first else 0
            after = int(np.searchsorted(cumulative, done + BLOCK, side="right"))
            after = max(after, first + 1)
            yield self._block(first, after)
            first = after

    def _spread_movies(self) -> tuple[Ints, Ints]:
        """Choose a user for each movie, so that hardly any movie has no rating."""
        people, catalogue = self._people, self._catalogue
        years = years_of(people.starts)
        order = np.argsort(years, kind="stable")
        slots = np.cumsum(people.counts[order])
        before = np.searchsorted(years[order], catalogue.years[self._rated])
        passed = np.where(before > 0, slots[before - 1], 0)
        room = slots[-1] - passed
        possible = room > 0
        rated, passed, room = self._rated[possible], passed[possible], room[possible]
        slot = passed + draw(self._seed, "sure rating", rated).below(room)
        chosen = order[np.searchsorted(slots, slot, side="right")]
        by_user = np.lexsort((rated, chosen))
        return chosen[by_user], rated[by_user]

    def _moments(self, users: Ints, rank: Ints, slots: Ints) -> Ints:
        """Return the time of each slot: sessions, with pauses of hours to years."""
        people, seed = self._people, self._seed
        first_user = int(users[0])
        each = np.arange(first_user, int(users[-1]) + 1)
        counts = people.counts[each]
        local = users - first_user

        drawn = draw(seed, "first session", each)
        stays = np.where(counts <= 60, 82, np.where(counts <= 200, 64, 18))
        part = 40 + drawn.more(32).below(440)
        once = drawn.below(100) < stays
        session = np.where(once, counts, 1 + counts * part // 1_000)[local]
        returns = draw(seed, "new session", slots).below(1_000) < 110
        returns &= rank > session
        new = (rank == session) | returns

        gaps = np.minimum(draw(seed, "gap", slots).lognormal(8.6, 1.75), 3_000)
        gaps[new | (rank == 0)] = 0
        pauses = np.zeros(len(slots), dtype=np.int64)
        at = np.flatnonzero(new)
        minutes = draw(seed, "pause", slots[at]).lognormal(4_000.0, 2.3)
        pauses[at] = 61 + np.minimum(minutes, 700_000)

        ends = np.cumsum(counts) - 1
        begins = ends - counts + 1
        within, across = np.cumsum(gaps), np.cumsum(pauses)
        within -= (within[begins])[local]
        across -= (across[begins])[local]
        # Shorten the pauses of users who would return after the end, in proportion.
        starts = np.minimum(people.starts[each], END - 1 - within[ends])
        room = (END - 1 - within[ends] - starts) // 60
        total = across[ends]
        late = total > room
        ratio_top = np.where(late, room, 1)[local]
        ratio_bottom = np.where(late, total, 1)[local]
        shifted = across * ratio_top // ratio_bottom * 60
        moments: Ints = starts[local] + within + shifted
        for first, after in people.quiet:
            moments[(moments >= first) & (moments < after)] += QUIET_SHIFT
        return moments

    def _candidates(self, drawn: Draws, users: Ints) -> Ints:
        """Return a movie for each draw, by the user's taste or by everyone's."""
        by_taste = self._by_taste
        bits = by_taste.shape[1].bit_length() - 1
        index = drawn.high >> (32 - bits)
        own = by_taste[self._people.tastes[users], index]
        tasteful = (drawn.words & np.uint64(1)).astype(bool)
        return np.where(tasteful, own, drawn.of(self.any_movie))

    def _movies(self, users: Ints, slots: Ints, years: Ints) -> Ints:
        """Choose different movies for each user's slots, none released after the slot.

        Returns keys: user in the block, position and slot in the block, packed and
        sorted, which is the order of the file.
        """
        count = len(self._catalogue.titles)
        local = users - users[0]
        numbers = np.arange(len(users))
        shift = np.int64(_SLOT_BITS)

        def add(rows: Ints, positions: Ints, taken: Ints) -> Ints:
            """Return the taken keys and those of the rows, each movie once per user."""
            keys = ((local[rows] * count + positions) << shift) | rows
            keys.sort()
            first = np.ones(len(keys), dtype=bool)
            first[1:] = (keys[1:] >> shift) != (keys[:-1] >> shift)
            merged = np.concatenate([taken, keys[first]])
            merged.sort()
            return merged

        rows, positions = self._sure(users)
        in_time = self._catalogue.years[positions] <= years[rows]
        taken = np.empty(0, dtype=np.int64)
        taken = add(rows[in_time], positions[in_time], taken)
        mask = np.int64((1 << _SLOT_BITS) - 1)
        round_ = 0
        while len(taken) < len(users):
            free = np.ones(len(users), dtype=bool)
            free[taken & mask] = False
            rows = numbers[free]
            tries = _CANDIDATES if round_ else 1
            wide = np.repeat(rows, tries)
            index = slots[wide] * 4_096 + round_ * _CANDIDATES
            index += np.tile(np.arange(tries), len(rows))
            drawn = draw(self._seed, "movie", index)
            if round_ < 24:
                positions = self._candidates(drawn, users[wide])
            else:
                # The user has rated nearly all well-known movies: draw from all.
                positions = self._rated[drawn.below(len(self._rated))]
            usable = self._catalogue.years[positions] <= years[wide]
            if len(taken):
                pairs = local[wide] * count + positions
                had = taken >> shift
                at = np.minimum(np.searchsorted(had, pairs), len(had) - 1)
                usable &= had[at] != pairs
            wide, positions = wide[usable], positions[usable]
            first = np.ones(len(wide), dtype=bool)
            first[1:] = wide[1:] != wide[:-1]
            taken = add(wide[first], positions[first], taken)
            round_ += 1
        return taken

    def _sure(self, users: Ints) -> tuple[Ints, Ints]:
        """Return slots of the block, and the movies that they get if these are out."""
        low, high = np.searchsorted(
            self._sure_users, [int(users[0]), int(users[-1]) + 1]
        )
        owners = self._sure_users[low:high]
        positions = self._sure_positions[low:high]
        begins = np.searchsorted(owners, owners)
        number = np.arange(len(owners)) - begins
        counts = self._people.counts[owners]
        firsts = self._firsts[owners] - self._firsts[users[0]]
        fits = number < counts // 2
        drawn = draw(self._seed, "everyone's movie", owners)
        row = firsts + (drawn.below(counts) + number) % counts
        return row[fits], positions[fits]

    def _block(self, first_user: int, after: int) -> Block:
        people = self._people
        counts = people.counts[first_user:after]
        users = np.repeat(np.arange(first_user, after), counts)
        first_slot = int(self._firsts[first_user])
        slots = np.arange(first_slot, first_slot + len(users))
        rank = slots - self._firsts[users]
        moments = self._moments(users, rank, slots)
        keys = self._movies(users, slots, years_of(moments))
        rows = keys & ((1 << _SLOT_BITS) - 1)
        positions = (keys >> _SLOT_BITS) % len(self._catalogue.titles)
        moments = moments[rows]

        latent = draw(self._seed, "noise", slots[rows]).normal(_NOISE)
        latent += self._catalogue.effects[positions] + people.kindness[users]
        liked = self._liked[people.tastes[users], positions]
        latent += np.where(liked, *_LIKED_GENRE)
        halves = np.where(
            moments >= HALF_STARS_SINCE,
            _stars(latent, FIGURES["half_stars"]),
            _stars(latent, FIGURES["whole_stars"]),
        )
        return Block(users, positions, halves, moments)


def rating_lines(block: Block, catalogue: Catalogue, people: People) -> bytes:
    """The records of a block with their line ends."""
    columns = (
        people.user_ids[block.users],
        catalogue.movie_ids[block.positions],
        block.halves / 2,
        block.moments,
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return "".join([f"{u},{m},{rating},{at}\r\n" for u, m, rating, at in rows]).encode()
