"""Figures: medians, ratios and goals of what a bench has measured, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from tools.bench.measure import Cost, Measured
from tools.bench.session import (
    EDITED,
    FIRST,
    FLOOR,
    LATER,
    NOTHING,
    PLAIN,
    BenchReport,
    Rounds,
)

GB = 10**9
# The earlier figure, as text, and the most that it should be now.
Limit = tuple[str, float | None]
# By number of ratings: ratios of wall times, and GB of memory. When the earlier figures
# were measured, a run cost the same whatever had changed.
LIMITS: dict[str, dict[int, Limit]] = {
    "load": {20_000_000: ("2.7–3.1", 1.8)},
    FLOOR: {1_000_000: ("6.2", 3), 20_000_000: ("3.3", 2)},
    NOTHING: {20_000_000: ("", 0.04)},
    "one new tag": {20_000_000: ("", 0.1)},
    "1 % in a new object": {
        20_000_000: ("0.86–0.90", 0.25),
        100_000_000: ("0.71", 0.2),
    },
    "1 % in the file": {20_000_000: ("0.98–1.03", 0.4)},
    "memory": {20_000_000: ("1.8", 1.8), 100_000_000: ("4.4", 4.2)},
}
# The same for the sample, in seconds of a command.
LIMITS_OF_SAMPLE: dict[str, Limit] = {
    FIRST: ("13", 7.5),
    NOTHING: ("1.5", 1),
    EDITED: ("4.4", 2.5),
}
NO_LIMIT: Limit = ("", None)
# How many nodes of a build are listed by name.
SHOWN = 6

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
    """What was measured: a ratio of wall times, seconds or GB.

    `before` is the earlier figure and `limit` the goal, if there are any. `in_cpu` is
    the same in CPU time, which a busy machine changes less.
    """

    what: str
    before: str
    limit: float | None
    measured: float
    unit: str
    in_cpu: float | None = None

    def row(self) -> list[str]:
        """The row in the table of goals."""
        before = limit = met = in_cpu = ""
        if self.before:
            before = f"{self.before}{self.unit}"
        if self.limit is not None:
            limit = f"≤ {self.limit:.3g}{self.unit}"
            met = "yes" if self.measured <= self.limit else "no"
        if self.in_cpu is not None:
            in_cpu = f"{self.in_cpu:.2f}{self.unit}"
        measured = f"{self.measured:.2f}{self.unit}"
        return [self.what, before, limit, measured, in_cpu, met]


def tables(report: BenchReport) -> Iterator[Table]:
    """Yield all tables of a report."""
    rows = [goal.row() for goal in goals(report)]
    header = ("what", "before", "goal", "measured", "by CPU time", "met")
    yield Table("Goals", header, rows)
    measured = {f"{size.ratings:,} ratings": size.rounds for size in report.sizes}
    for title, rounds in (measured | {"The sample": report.sample}).items():
        yield costs(title, rounds)
        yield nodes(f"{title}: where a build takes longest", rounds)


def nodes(title: str, rounds: Rounds) -> Table:
    """The slowest nodes of each build, and the others together; medians of seconds."""
    rows = []
    for name, measured in rounds.items():
        seconds = {
            node: median(each.nodes[node] for each in measured)
            for node in measured[0].nodes
        }
        longest = sorted(seconds, key=lambda node: -seconds[node])
        parts = [(node, seconds[node]) for node in longest[:SHOWN]]
        if others := longest[SHOWN:]:
            what = f"{len(others)} other nodes"
            parts.append((what, sum(seconds[node] for node in others)))
        rows += [
            ["" if number else name, node, f"{each:.2f}"]
            for number, (node, each) in enumerate(parts)
        ]
    return Table(title, ("contender", "node", "wall, s"), rows, labels=2)


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
            LIMITS["load"].get(ratings, NO_LIMIT),
            (FIRST, lambda each: each.steps["load"]),
            (FLOOR, lambda each: each.steps["load"]),
        )
        for name in (FLOOR, PLAIN):
            yield _ratio(
                rounds,
                f"first run, to {name}, {at}",
                LIMITS.get(name, {}).get(ratings, NO_LIMIT),
                (FIRST, _whole),
                (name, _whole),
            )
        for name in LATER:
            yield _ratio(
                rounds,
                f"next run, {name}, to the first run, {at}",
                LIMITS[name].get(ratings, NO_LIMIT),
                (name, _whole),
                (FIRST, _whole),
            )
        peak = max(
            median(each.whole.peak_bytes for each in rounds[name])
            for name in (FIRST, *LATER)
        )
        limit = LIMITS["memory"].get(ratings, NO_LIMIT)
        yield Goal(f"memory of the runs, {at}", *limit, peak / GB, " GB")
    for name, limit in LIMITS_OF_SAMPLE.items():
        wall, cpu = _medians(report.sample[name], _whole)
        yield Goal(f"the sample, {name}, as a command", *limit, wall, " s", cpu)


def _ratio(
    rounds: Rounds,
    what: str,
    limit: Limit,
    ours: tuple[str, Part],
    other: tuple[str, Part],
) -> Goal:
    """A goal for the time of one part against another's, by their medians."""
    (our_wall, our_cpu), (wall, cpu) = (
        _medians(rounds[name], part) for name, part in (ours, other)
    )
    return Goal(what, *limit, our_wall / wall, "×", our_cpu / cpu)


def _medians(rounds: list[Measured], part: Part) -> tuple[float, float]:
    """Seconds of wall time and of CPU that a part took."""
    costs = [part(each) for each in rounds]
    return (
        median(cost.seconds for cost in costs),
        median(cost.cpu_seconds for cost in costs),
    )


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
