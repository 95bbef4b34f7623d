"""Session: our run and the other contenders, measured in turn.

Each contender is a process of its own. In a round each has its turn once, on the same
files, and what a round has made is removed before the next.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from reelhouse.errors import ReelhouseError
from reelhouse.settings import PROJECT, Settings, memory_limit
from tools.bench import data
from tools.bench.account import Asked
from tools.bench.contenders import OTHERS, SCRIPT
from tools.bench.measure import Measured, run_contender
from tools.bench.statements import raw_alone, write_script

Progress = Callable[[str, int, int], None]

ACCOUNT_RATINGS = 2_000
SAMPLE = PROJECT / "data" / "sample"
# Our own run, the same after a delivery, and dbt alone.
FULL, NEW_OBJECT, REPLACED = "run", "run, 1 % in a new object", "run, 1 % in the file"
BUILD = "build alone"
# Polars holds all files in memory, some 600 bytes for each rating; views over the
# files read them again for each table.
MOST_RATINGS = {"polars": 20_000_000, "theirs": 20_000_000}
# Larger sizes take a quarter of an hour a round.
MOST_RATINGS_AGAIN = 20_000_000


@dataclass(frozen=True)
class SizeReport:
    """What each contender cost in each round, on files with so many ratings."""

    ratings: int
    rounds: dict[str, list[Measured]] = field(default_factory=dict)


@dataclass(frozen=True)
class BenchReport:
    """What was measured, and on what machine; `memory_limit` is DuckDB's.

    `edit` is one model built and tested again on the sample, in each round. `asked` is
    what runs asked of an emulated account, empty where that was not counted. `failed`
    tells which contenders have no figures, and what to do.
    """

    machine: dict[str, str]
    memory_limit: str | None
    sizes: list[SizeReport]
    edit: list[Measured] = field(default_factory=list)
    asked: dict[str, Asked] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


def bench(
    settings: Settings,
    sizes: Sequence[int],
    against: Sequence[str] = OTHERS,
    rounds: int = 1,
    limit: str | None = None,
    with_account: bool = False,
    progress: Progress | None = None,
) -> BenchReport:
    """Measure our run and other contenders on generated files of each size.

    The files are made once and kept in the folder `bench` of the warehouse folder;
    everything else there is removed. `limit` is what DuckDB may take of memory, as in
    REELHOUSE_MEMORY_LIMIT, which it stands for. A contender has no turn at sizes above
    its `MOST_RATINGS`; above MOST_RATINGS_AGAIN there is one round. One that we are
    measured against may fail, and has no figures then; raises ReelhouseError where our
    own run does.
    """
    if limit:
        memory_limit({"REELHOUSE_MEMORY_LIMIT": limit})
    else:
        limit = memory_limit()
    folder = settings.warehouse / "bench"
    tell = progress or (lambda *_: None)
    reports, failed = [], []
    for ratings in sizes:
        made = data.files_of(folder, ratings, progress)
        report = SizeReport(ratings)
        desk = _Desk(settings, made, folder / "work", limit)
        others = [n for n in against if ratings <= MOST_RATINGS.get(n, ratings)]
        turns = 4 + len(others)
        times = rounds if ratings <= MOST_RATINGS_AGAIN else 1
        for number in range(times):
            with desk:
                for done, (name, measured) in enumerate(desk.turns(others)):
                    report.rounds.setdefault(name, []).append(measured)
                    total = times * turns
                    tell(f"measure {ratings:,}", number * turns + done + 1, total)
        for name, reason in desk.failed.items():
            report.rounds.pop(name, None)
            failed.append(f"At {ratings:,} ratings: {reason}")
        reports.append(report)
    edit = [_edit(settings, folder / "work") for _ in range(rounds)]
    asked = _ask_account(settings, folder) if with_account else {}
    return BenchReport(machine(), limit, reports, edit, asked, failed)


def _edit(settings: Settings, folder: Path) -> Measured:
    desk = _Desk(settings, SAMPLE, folder, None)
    desk.source = SAMPLE
    try:
        return desk.measure("edit", folder / "edit")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ask_account(settings: Settings, folder: Path) -> dict[str, Asked]:
    """What runs ask of an account; how many ratings there are makes no difference."""
    made = data.files_of(folder, ACCOUNT_RATINGS, None)
    desk = _Desk(settings, made, folder / "work", None)
    with desk:
        measured = desk.measure("account", folder / "work" / "account", str(made))
    return {name: Asked(**each) for name, each in measured.told["asked"].items()}


def machine() -> dict[str, str]:
    """What the figures depend on."""
    processor = platform.processor() or platform.machine()
    for line in _lines("/proc/cpuinfo"):
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


class _Desk:
    """Where the contenders of a round work, one after the other."""

    def __init__(
        self, settings: Settings, made: Path, folder: Path, memory_limit: str | None
    ) -> None:
        self.made = made
        self.folder = folder
        self.source = folder / "source"
        self.own = replace(settings, target="dev", warehouse=folder / FULL)
        self.memory_limit = memory_limit
        self.failed: dict[str, str] = {}

    def __enter__(self) -> None:
        data.deliver_all(self.made, self.source)

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def turns(self, against: Sequence[str]) -> Iterator[tuple[str, Measured]]:
        """What each contender costs; a delivery changes the source for the next."""
        yield FULL, self.measure("ours", self.own.warehouse)
        with self.loaded() as folder:
            yield BUILD, self.measure("build", folder)
        for name in against:
            if name not in self.failed:
                try:
                    measured = self.measure_other(name)
                except ReelhouseError as error:
                    self.failed[name] = str(error)
                else:
                    yield name, measured
        for name, file in ((NEW_OBJECT, data.NEW_OBJECT), (REPLACED, data.REPLACED)):
            data.deliver_later(self.made, self.source, file)
            yield name, self.measure("ours", self.own.warehouse)

    def measure_other(self, name: str) -> Measured:
        """What a contender costs that we are measured against; it leaves nothing."""
        if name == "replay":
            with self.loaded() as folder:
                write_script(self.own, folder / SCRIPT)
                return self.measure(name, folder)
        try:
            return self.measure(name, self.folder / name)
        finally:
            shutil.rmtree(self.folder / name, ignore_errors=True)

    @contextmanager
    def loaded(self) -> Iterator[Path]:
        """A folder with the warehouse as it is when only the load is done."""
        folder = self.folder / "loaded"
        try:
            raw_alone(self.own, folder)
            yield folder
        finally:
            shutil.rmtree(folder)

    def measure(self, contender: str, warehouse: Path, *arguments: str) -> Measured:
        return run_contender(
            contender,
            {
                "DBT_TARGET": "dev",
                "REELHOUSE_SOURCE": str(self.source),
                "REELHOUSE_WAREHOUSE": str(warehouse),
                "REELHOUSE_MEMORY_LIMIT": self.memory_limit or "",
                "REELHOUSE_MOMENT": "",
                "REELHOUSE_MAX_SHRINK": "",
            },
            *arguments,
        )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
