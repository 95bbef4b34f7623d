"""Figures: medians, ratios and goals of what a bench has measured, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from tools.bench.measure import Cost, Measured
from tools.bench.session import EDITED, FIRST, FLOOR, LATER, BenchReport, Rounds

GB = 10**9
# Limits by number of ratings: ratios of wall times, and GB of memory.
LIMITS: dict[str, dict[int, float]] = {
    "load": {20_000_000: 1.8},
    FLOOR: {1_000_000: 3, 20_000_000: 2},
    "nothing new": {20_000_000: 0.04},
    "one new tag": {20_000_000: 0.1},
    "1 % in a new object": {20_000_000: 0.25, 100_000_000: 0.2},
    "1 % in the file": {20_000_000: 0.4},
    "memory": {20_000_000: 1.8, 100_000_000: 4.2},
}
MOST_EDITED_TO_FIRST = 0.46

Part = Callable[[Measured], Cost]


@dataclass(frozen=True)
class Table:
    """A table of text; the first `labels` columns are words, the others numbers."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    labels: int = 1


@dataclass(frozen=True)
class Goal:
    """What was measured, a ratio of wall times or GB, and its limit, if any.

    `in_cpu` is the same of CPU times, which a busy machine changes less.
    """

    what: str
    limit: float | None
    measured: float
    unit: str
    in_cpu: float | None = None

    def row(self) -> list[str]:
        """Its row in the table of goals."""
        limit = met = in_cpu = ""
        if self.limit is not None:
            limit = f"≤ {self.limit:.3g}{self.unit}"
            met = "yes" if self.measured <= self.limit else "no"
        if self.in_cpu is not None:
            in_cpu = f"{self.in_cpu:.2f}{self.unit}"
        measured = f"{self.measured:.2f}{self.unit}"
        return [self.what, limit, measured, in_cpu, met]


def tables(report: BenchReport) -> Iterator[Table]:
    """Everything that there is to tell."""
    rows = [goal.row() for goal in goals(report)]
    yield Table("Goals", ("what", "goal", "measured", "by CPU time", "met"), rows)
    for size in report.sizes:
        yield costs(f"{size.ratings:,} ratings", size.rounds)
    yield costs("The sample", report.sample)


def costs(title: str, rounds: Rounds) -> Table:
    """What each contender and each of its steps cost."""
    rows = []
    for name, measured in rounds.items():
        built = [f"{what}: {number}" for what, number in measured[0].built.items()]
        label = f"all ({', '.join(built)})" if built else "all"
        rows.append([name, label, *_row([each.whole for each in measured])])
        rows += [
            ["", step, *_row([each.steps[step] for each in measured])]
            for step in measured[0].steps
        ]
        times = len(measured)
    return Table(
        f"{title}: median of {'one round' if times == 1 else f'{times} rounds'}",
        ("contender", "step", "wall, s", "from – to, s", "CPU, s", "memory, MB"),
        rows,
        labels=2,
    )


def goals(report: BenchReport) -> Iterator[Goal]:
    """The goals of the project, with what was measured."""
    for size in report.sizes:
        ratings, rounds = size.ratings, size.rounds
        at = f"at {ratings:,} ratings"
        yield _ratio(
            rounds,
            f"load, checked, to plain `read_csv`, {at}",
            LIMITS["load"].get(ratings),
            (FIRST, lambda each: each.steps["load"]),
            (FLOOR, lambda each: each.steps["load"]),
        )
        yield _ratio(
            rounds,
            f"first run, to floor, {at}",
            LIMITS[FLOOR].get(ratings),
            (FIRST, _whole),
            (FLOOR, _whole),
        )
        for name in LATER:
            yield _ratio(
                rounds,
                f"next run, {name}, to the first run, {at}",
                LIMITS[name].get(ratings),
                (name, _whole),
                (FIRST, _whole),
            )
        peak = max(
            median(each.whole.peak_bytes for each in rounds[name])
            for name in (FIRST, *LATER)
        )
        limit = LIMITS["memory"].get(ratings)
        yield Goal(f"memory of the runs, {at}", limit, peak / GB, " GB")
    yield _ratio(
        report.sample,
        f"next run of the sample, {EDITED}, to the first run",
        MOST_EDITED_TO_FIRST,
        (EDITED, _whole),
        (FIRST, _whole),
    )


def _ratio(
    rounds: Rounds,
    what: str,
    limit: float | None,
    ours: tuple[str, Part],
    other: tuple[str, Part],
) -> Goal:
    """A goal for the time of one part against another's, by their medians."""

    (our_wall, our_cpu), (wall, cpu) = (
        (
            median(part(each).seconds for each in rounds[name]),
            median(part(each).cpu_seconds for each in rounds[name]),
        )
        for name, part in (ours, other)
    )
    return Goal(what, limit, our_wall / wall, "×", our_cpu / cpu)


def _whole(measured: Measured) -> Cost:
    return measured.whole


def _row(rounds: list[Cost]) -> list[str]:
    seconds = [each.seconds for each in rounds]
    peak = median(each.peak_bytes for each in rounds)
    return [
        f"{median(seconds):.2f}",
        f"{min(seconds):.2f} – {max(seconds):.2f}",
        f"{median(each.cpu_seconds for each in rounds):.2f}",
        f"{peak / 1e6:,.0f}" if peak else "",
    ]
