"""The files to measure with: made once, kept between benches, delivered in parts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from time import sleep

from reelhouse.ingest.source import SETTLED_SECONDS
from reelhouse.movielens.generate import generate
from reelhouse.progress import Progress

SEED = 1
# One rating in this many is delivered later.
SHARE = 100
# Added to the user id of a later rating to make a new user.
STRANGER = 1_000_000_000
NEW_TAG = "tags/more.csv"
NEW_OBJECT = "ratings/more.csv"
REPLACED = "ratings.csv"


def files_of(folder: Path, ratings: int, progress: Progress) -> Path:
    """Return the folder with six files of this many ratings, and the later files."""
    made = folder / f"ratings-{ratings}"
    if not (made / "later" / NEW_TAG).exists():
        # Left by a benchmark that was stopped.
        shutil.rmtree(made, ignore_errors=True)
        generate(made / "first", ratings, SEED, progress=progress)
        _write_later(made / "first", made / "later")
    return made


def deliver_all(made: Path, source: Path) -> None:
    """Put the generated files into a source, which holds nothing else afterwards.

    Waits until a listing trusts their modification times, as with a person's files.
    """
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    for file in (made / "first").glob("*.csv"):
        os.link(file, source / file.name)
    sleep(SETTLED_SECONDS)


def deliver_later(made: Path, source: Path, name: str) -> None:
    """Put a later file into a source; replace a file of this name if there is one."""
    target = source / name
    target.unlink(missing_ok=True)
    target.parent.mkdir(exist_ok=True)
    os.link(made / "later" / name, target)


def _write_later(first: Path, later: Path) -> None:
    """Write the later files: one rating in SHARE again, a day after; and one tag.

    Every other one of these ratings is by a new user. They are in an object of their
    own, and, two days after, in the old file, each behind the rating that it repeats.
    """
    shutil.rmtree(later, ignore_errors=True)
    for name in (NEW_TAG, NEW_OBJECT):
        (later / name).parent.mkdir(parents=True)
    with (
        (first / REPLACED).open("rb") as lines,
        (later / NEW_OBJECT).open("wb") as more,
        (later / REPLACED).open("wb") as replaced,
    ):
        header = next(lines)
        more.write(header)
        replaced.write(header)
        for number, line in enumerate(lines):
            replaced.write(line)
            if number % SHARE == 0:
                user, movie, rating, time = line.rstrip().split(b",")
                rater = int(user) + (STRANGER if number // SHARE % 2 == 0 else 0)
                for out, days in ((more, 1), (replaced, 2)):
                    moment = int(time) + days * 86_400
                    out.write(b"%d,%b,%b,%d\r\n" % (rater, movie, rating, moment))
    # Written last: if this file exists, the others are complete.
    with (first / "tags.csv").open("rb") as tags:
        tag = b"%b%b,%b,one more,%b\r\n" % (next(tags), user, movie, time)
    (later / NEW_TAG).write_bytes(tag)
