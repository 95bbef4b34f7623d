"""Bench: what a run costs, and what the next one costs after a small delivery."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from reelhouse.contract import entities
from reelhouse.generate import generate
from reelhouse.run import run
from reelhouse.settings import Settings

Progress = Callable[[str, int, int], None]

SEED = 1
# One rating in so many is delivered later, in an object of its own.
SHARE = 100
MORE = "ratings/more.csv"


@dataclass(frozen=True)
class BenchReport:
    """Seconds of each step: of a run on everything, and of one on the change alone.

    `changed` is the number of ratings that the second run finds new, of `ratings`.
    """

    ratings: int
    changed: int
    full: dict[str, float]
    after_change: dict[str, float]


def bench(
    settings: Settings, ratings: int, progress: Progress | None = None
) -> BenchReport:
    """Time a run on generated files, one after a change, and one on all of it.

    The files are made once and kept in the folder `bench` of the warehouse folder;
    the warehouses that are made of them are removed. The second run finds new
    ratings, half of them of users it knows; the full run starts with the same files
    and no warehouse.
    """
    folder = settings.warehouse / "bench"
    generated = folder / f"ratings-{ratings}"
    files = [f"{entity.file}.csv" for entity in entities().values()]
    if not all((generated / file).exists() for file in files):
        generate(generated, ratings, SEED, progress=progress)
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    source = work / "source"
    source.mkdir(parents=True)
    try:
        for file in files:
            os.link(generated / file, source / file)

        def seconds(warehouse: str) -> dict[str, float]:
            own = replace(settings, source=str(source), warehouse=work / warehouse)
            return run(own, progress=progress).seconds

        seconds("grown")
        changed = _deliver(generated / "ratings.csv", source / MORE)
        after_change = seconds("grown")
        full = seconds("full")
    finally:
        shutil.rmtree(work)
    return BenchReport(ratings + changed, changed, full, after_change)


def _deliver(ratings: Path, to: Path) -> int:
    """Write one rating in a hundred anew, a day later; how many there are.

    Every other one is of a new user.
    """
    to.parent.mkdir()
    written = 0
    with ratings.open(encoding="ascii") as lines, to.open("w", newline="") as out:
        out.write(next(lines))
        for written, line in enumerate(_one_in(SHARE, lines), start=1):
            user, movie, rating, time = line.rstrip().split(",")
            name = int(user) + (1_000_000_000 if written % 2 else 0)
            out.write(f"{name},{movie},{rating},{int(time) + 86_400}\n")
    return written


def _one_in(share: int, lines: Iterator[str]) -> Iterator[str]:
    return (line for number, line in enumerate(lines) if number % share == 0)
