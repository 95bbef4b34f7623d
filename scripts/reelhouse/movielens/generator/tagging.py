"""The user tags: who tags what, when, and in which spelling."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from reelhouse.movielens.generator.catalogue import Catalogue
from reelhouse.movielens.generator.chance import Ints, draw, shuffled
from reelhouse.movielens.generator.csvbytes import line
from reelhouse.movielens.generator.people import END, TAGS_SINCE, People, years_of
from reelhouse.movielens.generator.ratings import Block, RatingMaker
from reelhouse.movielens.generator.shape import Shape
from reelhouse.movielens.generator.words import GENRES, WORDS

# Tags are in groups: one for each genre, and these.
_OTHER_GROUPS = ("plain", "praise", "blame", "typed")
PLAIN, PRAISE, BLAME, NOTES = (len(GENRES) + i for i in range(len(_OTHER_GROUPS)))

_ONE_IN_TAGS = 95  # of a thousand users
_BURST = 3
_BLANKS = ("", " ", "\u00a0", "  ")

# How many of a thousand tags get each spelling.
_SPELLINGS: tuple[tuple[int, Callable[[str], str]], ...] = (
    (780, str),
    (110, lambda tag: tag[:1].upper() + tag[1:]),
    (40, str.upper),
    (35, lambda tag: tag + " "),
    (15, lambda tag: " " + tag),
    (20, lambda tag: tag.replace(" ", "  ")),
)


class Tagging:
    """Collects tags from each block of ratings, and yields their lines at the end."""

    def __init__(
        self,
        shape: Shape,
        catalogue: Catalogue,
        people: People,
        maker: RatingMaker,
        seed: int,
    ) -> None:
        self._catalogue, self._people, self._maker = catalogue, people, maker
        self._seed = seed
        groups = [WORDS["genre_tags"][name] for name in GENRES]
        groups += [WORDS[f"{kind}_tags"] for kind in _OTHER_GROUPS]
        # All tags, one group after another.
        self._tags: list[str] = [tag for group in groups for tag in group]
        self._sizes = np.array([len(group) for group in groups])
        since = np.flatnonzero(people.starts >= TAGS_SINCE)
        order = since[shuffled(seed, "taggers", len(since))]
        many = max(4, len(people.starts) * _ONE_IN_TAGS // 1_000)
        self._taggers = np.sort(order[:many])
        self._counts = self._share(shape.tags)
        self._parts: list[tuple[Ints, Ints, Ints, Ints]] = []

    def _share(self, total: int) -> Ints:
        """Tags of each tagger: a few do most of the work."""
        drawn = draw(self._seed, "tag zeal", self._taggers)
        zeal = drawn.lognormal(20.0, 1.9, 16) + 1
        limits = self._people.counts[self._taggers] * 12
        return np.minimum(1 + zeal * total // max(1, int(zeal.sum())), limits)

    def see(self, block: Block) -> None:
        """Let the taggers of a block tag movies soon after they rated them."""
        low, high = np.searchsorted(
            self._taggers, [int(block.users[0]), int(block.users[-1]) + 1]
        )
        users = np.repeat(self._taggers[low:high], self._counts[low:high])
        if not len(users):
            return
        starts = np.cumsum(self._counts[low:high]) - self._counts[low:high]
        number = np.arange(len(users)) - np.repeat(starts, self._counts[low:high])
        begins = np.searchsorted(block.users, users)
        counts = self._people.counts[users]
        burst = users * (1 << 24) + number // _BURST
        which = draw(self._seed, "tagged", burst).below(counts)
        row = begins + which
        index = users * (1 << 24) + number
        delay = 12 + draw(self._seed, "tag delay", index).below(25)
        moments = block.moments[row] + delay + 25 * (number % _BURST)
        moments = np.minimum(moments, END - 1)
        positions = block.positions[row]
        other = draw(self._seed, "tagged, not rated", burst)
        drawn = other.more(16).of(self._maker.any_movie)
        out = self._catalogue.years[drawn] <= years_of(moments)
        positions = np.where((other.below(100) < 3) & out, drawn, positions)
        self._parts.append((self._people.user_ids[users], positions, moments, index))

    def _add_tag_only_users(self) -> None:
        ids = self._people.tagger_ids
        each = 3 + draw(self._seed, "tag only zeal", ids).below(10)
        users = np.repeat(ids, each)
        number = np.arange(len(users)) - np.repeat(np.cumsum(each) - each, each)
        first = draw(self._seed, "tag only day", ids).below(END - TAGS_SINCE)
        moments = TAGS_SINCE + np.repeat(first, each) + number * 40
        moments = np.minimum(moments, END - 1)
        index = (users << 24) + number + (1 << 60)
        drawn = draw(self._seed, "tag only movie", index)
        positions = drawn.of(self._maker.any_movie)
        out = self._catalogue.years[positions] <= years_of(moments)
        self._parts.append((users[out], positions[out], moments[out], index[out]))

    def _add_unrated_movies(self) -> None:
        movies = np.flatnonzero(self._catalogue.weights == 0)
        index = movies + (1 << 61)
        drawn = draw(self._seed, "unrated movie", index)
        who = self._taggers[drawn.below(len(self._taggers))]
        moments = self._people.starts[who] + 60 + drawn.more(16).below(600)
        users = self._people.user_ids[who]
        self._parts.append((users, movies, np.minimum(moments, END - 1), index))

    def _texts(self, positions: Ints, index: Ints) -> tuple[Ints, Ints]:
        """Return the indexes of a tag and of a spelling for each application."""
        masks = self._catalogue.genre_masks[positions]
        drawn = draw(self._seed, "tag group", index)
        # A genre of the movie: its first one at or after a random genre.
        genre = drawn.more(32).below(PLAIN)
        found = np.full(len(genre), PLAIN, dtype=np.int64)
        for step in range(PLAIN):
            turn = (genre + step) % PLAIN
            hit = (found == PLAIN) & ((masks >> turn & 1) == 1)
            found[hit] = turn[hit]
        kind = drawn.below(1_000)
        good = self._catalogue.effects[positions] > 0
        group = np.where(kind < 600, found, PLAIN)
        group = np.where(kind >= 780, np.where(good, PRAISE, BLAME), group)
        group = np.where(kind >= 960, NOTES, group)
        sizes = self._sizes[group]
        drawn = draw(self._seed, "tag choice", index)
        # The smaller of two draws: the best-known tags are used most.
        choice = np.minimum(drawn.below(sizes), drawn.more(32).below(sizes))
        drawn = draw(self._seed, "spelling", index)
        shares = np.cumsum([share for share, _ in _SPELLINGS])
        spelling = np.searchsorted(shares, drawn.below(1_000), side="right")
        firsts = np.cumsum(self._sizes) - self._sizes
        return firsts[group] + choice, spelling

    def lines(self) -> Iterator[bytes]:
        """The records of tags.csv, by user, movie and time."""
        self._add_tag_only_users()
        self._add_unrated_movies()
        users, positions, moments, index = (
            np.concatenate(column) for column in zip(*self._parts, strict=True)
        )
        tags, spellings = self._texts(positions, index)
        # Some tags are typed again, in another spelling.
        again = draw(self._seed, "tag again", index).below(1_000) < 25
        twice = np.flatnonzero(again)
        repeat = np.concatenate([np.arange(len(users)), twice])
        spellings = np.concatenate([spellings, (spellings[twice] + 1) % 5])
        blank = np.zeros(len(repeat), dtype=bool)
        order = shuffled(self._seed, "blank tags", len(users))
        blank[order[: max(3, len(users) // 60_000)]] = True
        late = np.concatenate([moments, np.minimum(moments[twice] + 9, END - 1)])
        users, positions, tags = users[repeat], positions[repeat], tags[repeat]

        movie_ids = self._catalogue.movie_ids
        seen: set[str] = set()
        last = (-1, -1)
        blanks = 0
        for row in np.lexsort((spellings, tags, late, positions, users)).tolist():
            user, movie = int(users[row]), int(movie_ids[positions[row]])
            if (user, movie) != last:
                seen, last = set(), (user, movie)
            if blank[row]:
                text = _BLANKS[blanks % len(_BLANKS)]
                blanks += 1
            else:
                _, spell = _SPELLINGS[int(spellings[row])]
                text = spell(self._tags[int(tags[row])])
            if text in seen:
                continue
            seen.add(text)
            yield line((str(user), str(movie), text, str(int(late[row]))))
