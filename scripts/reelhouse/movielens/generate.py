"""Makes MovieLens-shaped CSV files of any size: the same bytes for the same arguments.

The parts are in `reelhouse.movielens.generator`; data/README.md describes the files.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reelhouse.errors import ReelhouseError
from reelhouse.movielens.generator.catalogue import Catalogue, make_catalogue
from reelhouse.movielens.generator.csvbytes import line
from reelhouse.movielens.generator.dirt import DIRTY_SUFFIX, make_dirty
from reelhouse.movielens.generator.genome import genome_lines
from reelhouse.movielens.generator.later import FILES, make_later
from reelhouse.movielens.generator.people import make_people
from reelhouse.movielens.generator.ratings import RatingMaker, RatingText
from reelhouse.movielens.generator.shape import (
    MAX_RATINGS,
    MIN_RATINGS,
    Shape,
    shape_of,
)
from reelhouse.movielens.generator.tagging import Tagging
from reelhouse.movielens.generator.vocabulary import Genome, make_genome, make_typed
from reelhouse.movielens.generator.words import NO_GENRES
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
_PARTIAL = ".partial"
OURS = {*HEADERS, MANIFEST, *FILES}


class GenerateError(ReelhouseError, ValueError):
    """Arguments that no data set can be made from."""


class RatingsOutOfRangeError(GenerateError):
    """The number of ratings is too small or too large."""


class SeedError(GenerateError):
    """The seed is not a whole number of at most 64 bits, zero or more."""


class OutIsAFileError(GenerateError):
    """The folder to write to is a file."""


class ForeignFilesError(GenerateError):
    """The folder to write to holds something that the generator did not write."""


@dataclass(frozen=True)
class FileReport:
    """One file that was written.

    Attributes:
        name: file name in the folder.
        records: lines after the header.
        size: bytes.
    """

    name: str
    records: int
    size: int


@dataclass(frozen=True)
class GenerateReport:
    """What `generate` wrote.

    Attributes:
        out: the folder.
        files: the files, in the order in which they were written.
        manifest: the list of planted faults, only with dirty=True.
        planted: number of entries in the manifest.
    """

    out: Path
    files: tuple[FileReport, ...]
    manifest: Path | None = None
    planted: int = 0


class _Writer:
    """One file under a temporary name, its records counted."""

    def __init__(self, out: Path, name: str) -> None:
        self.name, self.path, self.records = name, out / (name + _PARTIAL), 0
        self._file = self.path.open("wb")
        self._file.write(HEADERS[name].encode("ascii") + b"\r\n")

    def write(self, records: int, data: bytes | memoryview) -> None:
        self._file.write(data)
        self.records += records

    def close(self) -> None:
        self._file.close()


def _remove_leftovers(out: Path) -> None:
    """Removes what a run that was killed has left under temporary names."""
    for path in out.rglob("*"):
        if path.is_file() and path.relative_to(out).as_posix() not in OURS:
            path.unlink()


def _check(out: Path, ratings: int, seed: int) -> None:
    if not MIN_RATINGS <= ratings <= MAX_RATINGS:
        raise RatingsOutOfRangeError(
            f"{ratings:,} ratings cannot be generated: ask for "
            f"{MIN_RATINGS:,} to {MAX_RATINGS:,}."
        )
    if not 0 <= seed < 1 << 64:
        raise SeedError(f"The seed {seed} is out of range: take 0 to 2**64 - 1.")
    if out.exists() and not out.is_dir():
        raise OutIsAFileError(f"{out} is a file: name a folder to write to.")
    if out.is_dir():
        files = (path for path in out.rglob("*") if not path.is_dir())
        names = (path.relative_to(out).as_posix() for path in files)
        foreign = sorted(
            name
            for name in names
            if name.removesuffix(DIRTY_SUFFIX).removesuffix(_PARTIAL) not in OURS
        )
        if foreign:
            raise ForeignFilesError(
                f"{out} holds other files ({', '.join(foreign[:3])}"
                f"{', …' if len(foreign) > 3 else ''}): name an empty folder, "
                "or one that `generate` has written."
            )


def _write_movies(movies: _Writer, links: _Writer, catalogue: Catalogue) -> None:
    for position, movie in enumerate(catalogue.movie_ids.tolist()):
        genres = "|".join(catalogue.genres(position)) or NO_GENRES
        movies.write(1, line((str(movie), catalogue.titles[position], genres)))
        imdb, tmdb = catalogue.imdb_ids[position], catalogue.tmdb_ids[position]
        links.write(1, line((str(movie), imdb, tmdb)))


def _write_each(writer: _Writer, lines: Iterable[bytes]) -> None:
    for each in lines:
        writer.write(1, each)


def _write_all(
    files: dict[str, _Writer], shape: Shape, seed: int, progress: Progress
) -> None:
    """Fills the six files of a clean data set."""
    catalogue = make_catalogue(shape, seed)
    people = make_people(shape, catalogue, seed)
    genome: Genome = make_genome(shape.genome_tags)
    progress("movies", 0, shape.movies)
    _write_movies(files["movies.csv"], files["links.csv"], catalogue)
    progress("movies", shape.movies, shape.movies)

    maker = RatingMaker(catalogue, people, seed)
    text = RatingText(catalogue, people)
    tagging = Tagging(shape, catalogue, people, maker, make_typed(), seed)
    writer = files["ratings.csv"]
    progress("ratings", 0, shape.ratings)
    for block in maker.blocks():
        writer.write(len(block.users), text.lines(block))
        tagging.see(block)
        progress("ratings", writer.records, shape.ratings)

    progress("tags", 0, 1)
    _write_each(files["tags.csv"], tagging.lines())
    progress("tags", 1, 1)

    for number, tag in enumerate(genome.tags, start=1):
        files["genome-tags.csv"].write(1, line((str(number), tag)))
    writer = files["genome-scores.csv"]
    total = shape.genome_movies * len(genome.tags)
    progress("genome", 0, total)
    for count, data in genome_lines(shape, catalogue, genome, seed):
        writer.write(count, data)
        progress("genome", writer.records, total)


def _quiet(step: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def generate(
    out: Path,
    ratings: int,
    seed: int,
    *,
    dirty: bool = False,
    later: bool = False,
    progress: Progress | None = None,
) -> GenerateReport:
    """Writes the six files of a MovieLens-shaped data set into a folder.

    The bytes depend on ratings, seed, dirty and later alone. Files get their final
    names when all of them are complete; what the folder holds of an earlier run is
    replaced.

    Args:
        out: folder to write to; made if need be.
        ratings: number of ratings in a clean data set.
        seed: 0 to 2**64 - 1.
        dirty: plant faults, and write `dirty-manifest.json` that lists them.
        later: put the last half year into a later delivery, in a folder of its own.
        progress: called with the step's name, what is done of it, and its total.

    Raises:
        RatingsOutOfRangeError, SeedError, OutIsAFileError, ForeignFilesError: the
            arguments do not do; nothing was written.
        OSError: the folder cannot be written to; partial files are removed.
    """
    _check(out, ratings, seed)
    progress = progress or _quiet
    out.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(out)
    files: dict[str, _Writer] = {}
    manifest = out / MANIFEST
    partial_manifest = out / (MANIFEST + _PARTIAL)
    planted = 0
    try:
        for name in HEADERS:
            files[name] = _Writer(out, name)
        _write_all(files, shape_of(ratings), seed, progress)
        for writer in files.values():
            writer.close()
        records = {name: writer.records for name, writer in files.items()}
        paths = {name: writer.path for name, writer in files.items()}
        if later:
            paths |= {name: out / (name + _PARTIAL) for name in FILES}
            records |= make_later(paths, seed)
        if dirty:
            progress("faults", 0, 1)
            plan = make_dirty(paths, seed, partial_manifest)
            records, planted = records | plan.records, plan.planted
            progress("faults", 1, 1)
        # What an earlier run has written, and this one has not, would be a lie.
        for name in OURS - paths.keys():
            (out / name).unlink(missing_ok=True)
        for name, path in paths.items():
            path.replace(out / name)
        if dirty:
            partial_manifest.replace(manifest)
    except BaseException:
        for writer in files.values():
            with suppress(OSError):
                writer.close()
        _remove_leftovers(out)
        raise
    return GenerateReport(
        out=out,
        files=tuple(
            FileReport(name, count, (out / name).stat().st_size)
            for name, count in records.items()
        ),
        manifest=manifest if dirty else None,
        planted=planted,
    )
