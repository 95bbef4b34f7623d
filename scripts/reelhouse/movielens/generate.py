"""Makes MovieLens-shaped CSV files of any size: the same bytes for the same arguments.

The parts are in `reelhouse.movielens.generator`; data/README.md describes the files.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from reelhouse.errors import ReelhouseError, naming
from reelhouse.movielens.generator.catalogue import make_catalogue
from reelhouse.movielens.generator.csvbytes import line
from reelhouse.movielens.generator.dirt import make_dirty
from reelhouse.movielens.generator.genome import genome_lines, make_genome
from reelhouse.movielens.generator.later import make_later
from reelhouse.movielens.generator.people import make_people
from reelhouse.movielens.generator.ratings import RatingMaker, rating_lines
from reelhouse.movielens.generator.shape import MAX_RATINGS, MIN_RATINGS, shape_of
from reelhouse.movielens.generator.tagging import Tagging
from reelhouse.movielens.generator.words import NO_GENRES, names
from reelhouse.progress import Progress

HEADERS = {
    "movies.csv": "movieId,title,genres",
    "links.csv": "movieId,imdbId,tmdbId",
    "ratings.csv": "userId,movieId,rating,timestamp",
    "tags.csv": "userId,movieId,tag,timestamp",
    "genome-tags.csv": "tagId,tag",
    "genome-scores.csv": "movieId,tagId,relevance",
}
MANIFEST = "dirty-manifest.json"
# The folder for files that are not complete yet.
UNFINISHED = ".unfinished"


class GenerateError(ReelhouseError):
    """No data set can be made from the arguments."""


@dataclass(frozen=True)
class GenerateReport:
    """What `generate` wrote.

    `records` maps the name of a file to its number of lines after the header. With
    dirty=True, `manifest` lists the faults, and `planted` is their number.
    """

    out: Path
    records: dict[str, int]
    manifest: Path | None = None
    planted: int = 0


def _check(out: Path, ratings: int, seed: int) -> None:
    if not MIN_RATINGS <= ratings <= MAX_RATINGS:
        raise GenerateError(
            f"{ratings:,} ratings cannot be generated: ask for "
            f"{MIN_RATINGS:,} to {MAX_RATINGS:,}."
        )
    if not 0 <= seed < 1 << 64:
        raise GenerateError(f"The seed {seed} is out of range: take 0 to 2**64 - 1.")
    found = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if foreign := sorted(found - {UNFINISHED}):
        raise GenerateError(
            f"{out} is not empty (it holds {', '.join(foreign[:3])}"
            f"{', …' if len(foreign) > 3 else ''}): name another folder, or empty it."
        )


def _write_all(
    folder: Path, ratings: int, seed: int, progress: Progress
) -> dict[str, int]:
    """Write the six files of a clean data set; return the number of records of each."""
    shape = shape_of(ratings)
    catalogue = make_catalogue(shape, seed)
    people = make_people(shape, catalogue, seed)
    genome = make_genome(shape.genome_tags)
    records = dict.fromkeys(HEADERS, 0)
    with ExitStack() as stack:
        files = {
            name: stack.enter_context((folder / name).open("wb")) for name in HEADERS
        }
        for name, header in HEADERS.items():
            files[name].write(line(header.split(",")))

        def write(name: str, data: bytes, count: int = 1) -> None:
            files[name].write(data)
            records[name] += count

        progress("movies", 0, shape.movies)
        for position, movie in enumerate(catalogue.movie_ids.tolist()):
            genres = "|".join(names(int(catalogue.genre_masks[position]))) or NO_GENRES
            write("movies.csv", line((str(movie), catalogue.titles[position], genres)))
            ids = catalogue.imdb_ids[position], catalogue.tmdb_ids[position]
            write("links.csv", line((str(movie), *ids)))
        progress("movies", shape.movies, shape.movies)

        maker = RatingMaker(catalogue, people, seed)
        tagging = Tagging(shape, catalogue, people, maker, seed)
        progress("ratings", 0, shape.ratings)
        for block in maker.blocks():
            lines = rating_lines(block, catalogue, people)
            write("ratings.csv", lines, len(block.users))
            tagging.see(block)
            progress("ratings", records["ratings.csv"], shape.ratings)

        progress("tags", 0, 1)
        for each in tagging.lines():
            write("tags.csv", each)
        progress("tags", 1, 1)

        for number, tag in enumerate(genome.tags, start=1):
            write("genome-tags.csv", line((str(number), tag)))
        total = shape.genome_movies * len(genome.tags)
        progress("genome", 0, total)
        for count, data in genome_lines(shape, catalogue, genome, seed):
            write("genome-scores.csv", data, count)
            progress("genome", records["genome-scores.csv"], total)
    return records


def generate(
    out: Path,
    ratings: int,
    seed: int,
    *,
    dirty: bool = False,
    later: bool = False,
    progress: Progress = lambda *_: None,
) -> GenerateReport:
    """Write the six files of a MovieLens-shaped data set into a folder.

    The bytes depend only on ratings, seed, dirty and later. Files are moved into
    the folder when all of them are complete.

    Args:
        out: empty folder to write to; created if needed.
        ratings: number of ratings in a clean data set.
        seed: 0 to 2**64 - 1.
        dirty: plant faults, and write `dirty-manifest.json` that lists them.
        later: put the last half year into a later delivery, in a folder of its own.
        progress: called with the step's name, the amount done, and the total.

    Raises:
        GenerateError: the arguments are not valid; nothing was written.
        OSError: the folder cannot be written to; partial files are removed.
    """
    _check(out, ratings, seed)
    folder = out / UNFINISHED
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    planted = 0
    try:
        with naming(out):
            records = _write_all(folder, ratings, seed, progress)
            if later:
                records |= make_later(folder, seed)
        if dirty:
            progress("faults", 0, 1)
            plan = make_dirty(folder, seed, folder / MANIFEST)
            records |= {name: part["records"] for name, part in plan.items()}
            planted = sum(len(part["planted"]) for part in plan.values())
            progress("faults", 1, 1)
        for path in folder.iterdir():
            path.replace(out / path.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return GenerateReport(out, records, out / MANIFEST if dirty else None, planted)
