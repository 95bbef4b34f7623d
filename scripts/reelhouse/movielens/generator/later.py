"""A later delivery: what happened in the last half year, and what was corrected.

It is split off the files of a complete data set. The first delivery has what was known
before, with mistakes that the later one corrects; as in MovieLens, a user is delivered
once there are enough ratings. The later delivery has

- the other ratings, some changed ratings, and a few records that are not ratings;
- movies first rated since, a corrected title, year or genre of three well-known movies,
  and one movie fewer, which was listed twice;
- identifiers that were missing or wrong, and for new movies some that no film has;
- all current tags: new ones, some in another spelling, and some removed.
"""

from __future__ import annotations

import csv
import itertools
from calendar import timegm
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from reelhouse.movielens.generator.chance import Dice
from reelhouse.movielens.generator.csvbytes import line
from reelhouse.movielens.generator.people import LEAST_RATINGS
from reelhouse.movielens.generator.words import FAULTS

LATER = "2018-09-26"
SINCE = timegm((2018, 4, 1, 0, 0, 0))
MOVIES, LINKS, RATINGS, TAGS = FILES = (
    *(f"{LATER}/movies.csv", f"{LATER}/links.csv"),
    *(f"{LATER}/ratings/{LATER}.csv", f"{LATER}/tags.csv"),
)
_WELL_KNOWN = 12
# One in this many is changed: ratings of users who return, and tags.
_RERATED, _RETYPED = 40, 25
Row = list[str]


def _read(path: Path) -> tuple[Row, list[Row]]:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


def _write(path: Path, rows: Iterable[Row]) -> int:
    """Write rows to a file, the header first; return the number of records."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = -1
    with path.open("wb") as file:
        for row in rows:
            file.write(line(row))
            count += 1
    return count


def _split_user(ratings: list[Row], dice: Dice) -> tuple[list[Row], list[Row]]:
    """A user's ratings in the first delivery, and those of the later one."""
    early = [row for row in ratings if int(row[3]) < SINCE]
    if len(early) < LEAST_RATINGS:
        return [], ratings
    late = [row for row in ratings if int(row[3]) >= SINCE]
    if late:
        moment = max(row[3] for row in late)
        for user, movie, rating, _ in early:
            if not dice.below(_RERATED):
                other = float(rating) + (1 if float(rating) < 4 else -1)
                late.append([user, movie, f"{other:.1f}", moment])
    return early, sorted(late, key=lambda row: int(row[1]))


def _bad(ratings: list[Row], dice: Dice) -> Iterator[Row]:
    """The ratings, and among them records that break the rules of the file."""
    places = sorted(dice.below(len(ratings)) for _ in FAULTS["bad_ratings"])
    bad = dict(zip(places, FAULTS["bad_ratings"], strict=True))
    for number, row in enumerate(ratings):
        yield row
        if number in bad:
            user, movie, _, moment = row
            yield bad[number].format(user=user, movie=movie, moment=moment).split(",")


def _movies_before(movies: list[Row], known: list[str], dice: Dice) -> Iterator[Row]:
    """The movies as the first delivery has them, wrong in four ways."""
    year, title, genre, twice = (
        known.pop(dice.below(len(known))) for _ in ("year", "title", "genre", "twice")
    )
    for movie, name, genres in movies:
        head, _, end = name.rpartition(" (")
        if movie == year:
            yield [movie, f"{head} ({int(end[:4]) - 1})", genres]
        elif movie == title:
            yield [movie, f"{head}: The Movie ({end}", genres]
        elif movie == genre:
            yield [movie, name, genres.rpartition("|")[0] or "Drama"]
        else:
            yield [movie, name, genres]
    ((name, genres),) = (row[1:] for row in movies if row[0] == twice)
    yield [str(int(movies[-1][0]) + 1), name, genres]


def _tags_before(tags: list[Row], dice: Dice) -> Iterator[Row]:
    """The tags as they were, some in another spelling, some since taken back."""
    taken_back = iter(FAULTS["taken_back"])
    old = [row for row in tags if int(row[3]) < SINCE]
    known = {tuple(row[:3]) for row in old}
    for number, (user, movie, tag, moment) in enumerate(old):
        other = tag if dice.below(_RETYPED) else tag.swapcase()
        yield [user, movie, tag if (user, movie, other) in known else other, moment]
        if number % (len(old) // len(FAULTS["taken_back"]) + 1) == 0:
            yield [user, movie, next(taken_back), moment]


def make_later(folder: Path, seed: int) -> dict[str, int]:
    """Split the delivery in a folder in two; return the records of each file by name.

    The first delivery replaces the original; the later one is written to FILES.
    """
    dice = Dice(seed, "later delivery")
    records = {}

    header, ratings = _read(folder / "ratings.csv")
    first, since = [], []
    for _, group in itertools.groupby(ratings, key=lambda row: row[0]):
        early, late = _split_user(list(group), dice)
        first += early
        since += late
    records["ratings.csv"] = _write(folder / "ratings.csv", [header, *first])
    records[RATINGS] = _write(folder / RATINGS, [header, *_bad(since, dice)])

    known = Counter(row[1] for row in first)
    new = {row[1] for row in since} - known.keys()
    header, movies = _read(folder / "movies.csv")
    usual = {row[0] for row in movies if row[1].endswith(")") and row[1][-6] == "("}
    famous = [each for each, _ in known.most_common(5 * _WELL_KNOWN) if each in usual]
    before = [row for row in movies if row[0] not in new]
    wrong = _movies_before(before, famous[:_WELL_KNOWN], dice)
    records["movies.csv"] = _write(folder / "movies.csv", [header, *wrong])
    records[MOVIES] = _write(folder / MOVIES, [header, *movies])

    header, links = _read(folder / "links.csv")
    for row in links:
        if row[0] in new:
            row[1] = str(90_000_000 + dice.below(10_000_000))
    old = [list(row) for row in links if row[0] not in new]
    for number in range(8):
        old[dice.below(len(old))][2] = "" if number % 4 else str(dice.below(500_000))
    records["links.csv"] = _write(folder / "links.csv", [header, *old])
    records[LINKS] = _write(folder / LINKS, [header, *links])

    header, tags = _read(folder / "tags.csv")
    records["tags.csv"] = _write(
        folder / "tags.csv", [header, *_tags_before(tags, dice)]
    )
    records[TAGS] = _write(folder / TAGS, [header, *tags])
    return records
