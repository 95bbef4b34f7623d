"""Session: our runs, plain dbt and SQL written by hand, measured in turn.

Each contender is a process of its own. In a round each runs once, on the same files;
what a round has made is removed before the next.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from reelhouse.progress import Progress
from reelhouse.settings import Settings, memory_limit, project
from tools.bench import data
from tools.bench.measure import Measured, run_contender
from tools.bench.plain import write_project

# What each contender cost in each round, by its name.
Rounds = dict[str, list[Measured]]
Turns = Iterator[tuple[str, Measured]]

FIRST, PLAIN, FLOOR = "first run", "dbt alone", "floor"
NOTHING = "nothing new"
# The runs that follow the first one, and the file that each of them finds new.
LATER = {
    NOTHING: None,
    "one new tag": data.NEW_TAG,
    "1 % in a new object": data.NEW_OBJECT,
    "1 % in the file": data.REPLACED,
}
# For runs on the sample, in a copy of these parts of the tree.
EDITED = "an edited mart"
MART = "mart_genre_ratings"
TREE = (
    *("analyses", "data/sample", "macros", "models", "scripts", "seeds", "snapshots"),
    *("tests/data_tests", "dbt_project.yml", "profiles.yml"),
)
# Larger sizes take a quarter of an hour a round.
MOST_RATINGS_AGAIN = 20_000_000


@dataclass(frozen=True)
class SizeReport:
    """What was measured on files with this many ratings."""

    ratings: int
    rounds: Rounds


@dataclass(frozen=True)
class BenchReport:
    """What was measured, and on what machine; `memory_limit` is DuckDB's."""

    machine: dict[str, str]
    memory_limit: str | None
    sizes: list[SizeReport]
    sample: Rounds

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


def bench(
    settings: Settings,
    sizes: Sequence[int],
    rounds: int = 1,
    limit: str | None = None,
    progress: Progress = lambda *_: None,
) -> BenchReport:
    """Measure every contender on generated files of each size, and runs on the sample.

    The files are made once and kept in the folder `bench` of the warehouse folder;
    everything else there is removed. `limit` is DuckDB's memory limit, in the form of
    REELHOUSE_MEMORY_LIMIT, which it replaces. Above MOST_RATINGS_AGAIN there is one
    round. Raises ReelhouseError if a contender fails.
    """
    limit = memory_limit({"REELHOUSE_MEMORY_LIMIT": limit}) if limit else memory_limit()
    folder = settings.warehouse / "bench"
    work = folder / "work"

    def measured(turns: Callable[[], Turns], what: str, times: int) -> Rounds:
        found: Rounds = {}
        for number in range(times):
            shutil.rmtree(work, ignore_errors=True)
            for name, cost in turns():
                found.setdefault(name, []).append(cost)
                progress(f"{what}: {name}", number + 1, times)
        shutil.rmtree(work, ignore_errors=True)
        return found

    reports = []
    for ratings in sizes:
        made = data.files_of(folder, ratings, progress)
        times = rounds if ratings <= MOST_RATINGS_AGAIN else 1
        turns = partial(_turns, made, work, limit)
        reports.append(SizeReport(ratings, measured(turns, f"{ratings:,}", times)))
    sample = measured(partial(_turns_on_sample, work, limit), "sample", rounds)
    return BenchReport(machine(), limit, reports, sample)


def machine() -> dict[str, str]:
    """Return the hardware and versions that the figures depend on."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else []:
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": f"{processor}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "versions": ", ".join(
            [f"Python {platform.python_version()}"]
            + [f"{name} {version(name)}" for name in ("duckdb", "dbt-core")]
        ),
    }


def _turns(made: Path, folder: Path, limit: str | None) -> Turns:
    """Yield what each contender costs; deliveries change the source between runs."""
    source = folder / "source"
    data.deliver_all(made, source)
    yield FIRST, _measure("run", source, folder, limit)
    write_project(folder / "plain", source, folder / "run/published.duckdb", limit)
    yield PLAIN, _measure("plain", source, folder, limit)
    shutil.rmtree(folder / "plain")
    yield FLOOR, _measure("floor", source, folder, limit)
    shutil.rmtree(folder / "floor")
    for name, file in LATER.items():
        if file:
            data.deliver_later(made, source, file)
        yield name, _measure("run", source, folder, limit)


def _turns_on_sample(folder: Path, limit: str | None) -> Turns:
    """Yield what a first run costs, the next one, and one after a mart was edited."""
    tree = folder / "tree"
    for name in TREE:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (project() / name).is_dir() else shutil.copyfile
        copy(project() / name, tree / name)
    (mart,) = (tree / "models").rglob(f"{MART}.sql")
    for name in (FIRST, NOTHING, EDITED):
        if name == EDITED:
            mart.write_text(f"{mart.read_text(encoding='utf-8')}\n-- Edited.\n")
        yield name, _measure("run", tree / "data/sample", folder, limit, tree)


def _measure(
    contender: str,
    source: Path,
    folder: Path,
    limit: str | None,
    tree: Path | None = None,
) -> Measured:
    tree = tree or project()
    return run_contender(
        contender,
        {
            "DBT_TARGET": "dev",
            "PYTHONPATH": str(tree / "scripts"),
            "REELHOUSE_PROJECT_DIR": str(tree),
            "REELHOUSE_SOURCE": str(source),
            "REELHOUSE_WAREHOUSE": str(folder / contender),
            "REELHOUSE_MEMORY_LIMIT": limit or "",
            "REELHOUSE_MOMENT": "",
            "REELHOUSE_MAX_SHRINK": "",
            "REELHOUSE_MAX_REJECTS": "",
        },
    )
