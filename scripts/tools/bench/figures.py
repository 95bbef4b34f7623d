"""Figures: medians, ratios and goals of what a bench has measured, as tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import log
from statistics import fmean, median

from tools.bench.account import REASONING
from tools.bench.measure import Cost, Measured
from tools.bench.session import (
    BUILD,
    FULL,
    NEW_OBJECT,
    REPLACED,
    BenchReport,
    SizeReport,
)

SLOWEST = 10
NEIGHBOURS = ("int_likes_limited", "mart_movie_neighbours")
# Nodes with a time of their own in the table, be they slow or not.
NAMED = (*NEIGHBOURS, "mart_user_cohorts")
# Models that handle what has changed; all others are made anew.
INCREMENTAL = ("fct_ratings", "int_user_days_summed")
GIB = 2**30
# Goals are set for ml-20m, and ratios taken at the size that is nearest to it.
NOMINAL = 20_000_000

Part = Callable[[Measured], Cost]


@dataclass(frozen=True)
class Table:
    """A table of text; the first `labels` columns are words, the others numbers."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    labels: int = 1
    note: str = ""


@dataclass(frozen=True)
class Goal:
    """A limit, and what was measured: a ratio of wall times, an exponent, GiB or s.

    `in_cpu` is the same of CPU times, which a busy machine changes less.
    """

    what: str
    limit: float
    measured: float
    unit: str = ""
    in_cpu: float | None = None

    @property
    def is_met(self) -> bool:
        return self.measured <= self.limit


def costs(size: SizeReport) -> Table:
    """What each contender and each of its steps cost."""
    rows = []
    for name, rounds in size.rounds.items():
        rows.append([name, "all", *_row([each.whole for each in rounds])])
        rows += [
            ["", step, *_row([each.steps[step] for each in rounds])]
            for step in rounds[0].steps
        ]
        if any(each.servers.cpu_seconds > 0.5 for each in rounds):
            cost = [each.servers for each in rounds]
            rows.append(["", "S3 server, not counted in", *_row(cost)])
    return Table(
        f"{size.ratings:,} ratings: median of {_times(size)}",
        ("contender", "step", "wall, s", "from – to, s", "CPU, s", "memory, MB"),
        rows,
        labels=2,
    )


def slowest_nodes(size: SizeReport, run: str = FULL) -> Table:
    """The slowest nodes of our build in one of the runs, by dbt's own clock."""
    seconds: dict[tuple[str, str], list[float]] = {}
    for each in size.rounds[run]:
        for name, kind, took in each.told["nodes"]:
            seconds.setdefault((name, kind), []).append(took)
    order = sorted(seconds, key=lambda node: -median(seconds[node]))
    shown = [
        node
        for rank, node in enumerate(order)
        if rank < SLOWEST or (node[0] in NAMED and node[1] == "model")
    ]
    rows = [[name, kind, f"{median(seconds[name, kind]):.2f}"] for name, kind in shown]
    for kinds, label in ((("test",), "all tests"), (("model",), "all models")):
        total = sum(median(seconds[node]) for node in order if node[1] in kinds)
        rows.append([label, "", f"{total:.2f}"])
    return Table(
        f"{size.ratings:,} ratings, {run}: the slowest nodes of the build",
        ("node", "kind", "s"),
        rows,
        labels=2,
    )


def beyond_floor(size: SizeReport) -> Table:
    """What a run takes longer than the floor, upload left out, part by part."""

    def row(label: str, *parts: tuple[int, str, str]) -> list[str]:
        wall, cpu = (
            sum(
                sign * _median(size, name, _part(step), clock)
                for sign, name, step in parts
            )
            for clock in ("seconds", "cpu_seconds")
        )
        floor = _median(size, "floor", _whole, "seconds")
        return [label, f"{wall:.2f}", f"{cpu:.2f}", f"{wall / floor:.2f}×"]

    floor, replay = "floor", "replay"
    loaded = (1, FULL, "load"), (-1, floor, "load")
    ours = (1, replay, "build"), (-1, floor, "build")
    by_dbt = (1, BUILD, "build"), (-1, replay, "build")
    start = (1, BUILD, "start of dbt"), (1, FULL, "start and end")
    tests = (1, FULL, "build"), (-1, BUILD, "build"), (-1, BUILD, "start of dbt")
    rows = [
        row("load: hash, checks, ledger, rejects", *loaded),
        row("our SQL: duplicates, history, reconciliation", *ours),
        row("dbt around each statement", *by_dbt),
        row("start of Python and dbt", *start, (-1, floor, "start and end")),
        row("tests", *tests),
        row("backup", (1, FULL, "backup")),
        row("publish", (1, FULL, "publish")),
        row("all", (1, FULL, ""), (-1, FULL, "upload"), (-1, floor, "")),
    ]
    return Table(
        f"{size.ratings:,} ratings: what a run does that the floor does not",
        ("what", "wall, s", "CPU, s", "wall, to all of the floor"),
        rows,
    )


def beside_first(size: SizeReport) -> Table:
    """The parts of a run after 1 % new ratings beside the first run's, but uploads."""
    first, again = (
        {part: median(each[part] for each in rounds) for part in rounds[0]}
        for rounds in (
            [_parts_of_run(each) for each in size.rounds[name]]
            for name in (FULL, NEW_OBJECT)
        )
    )
    whole = sum(first.values())
    first["all"], again["all"] = whole, sum(again.values())
    rows = [
        [part, f"{first[part]:.2f}", f"{took:.2f}", f"{took / whole:.2f}×"]
        for part, took in again.items()
    ]
    return Table(
        f"{size.ratings:,} ratings, {NEW_OBJECT}: "
        f"its parts beside those of the first run",
        ("part", "first run, s", "this run, s", "to all of the first run"),
        rows,
    )


def _parts_of_run(measured: Measured) -> dict[str, float]:
    """Seconds by part, upload left out; dbt works on one node after the other."""
    steps = {name: cost.seconds for name, cost in measured.steps.items()}
    labels = {
        "incremental models, snapshots": 0.0,
        "neighbours, and what they rest on": 0.0,
        "other models, seeds": 0.0,
        "tests": 0.0,
    }
    incremental, neighbours, others, tests = labels
    for name, kind, took in measured.told["nodes"]:
        if kind == "test":
            labels[tests] += took
        elif kind == "snapshot" or name in INCREMENTAL:
            labels[incremental] += took
        elif name in NEIGHBOURS:
            labels[neighbours] += took
        else:
            labels[others] += took
    around = steps["build"] - sum(labels.values()) + steps.get("start and end", 0.0)
    return {
        "start of Python and dbt": around,
        "load": steps["load"],
        **labels,
        "backup": steps.get("backup", 0.0),
        "publish": steps.get("publish", 0.0),
    }


def goals(report: BenchReport) -> Iterator[Goal]:
    """The goals of the project, with what was measured; of those that were."""
    nominal = at_nominal(report)
    at = f"at {nominal.ratings:,} ratings"
    if "floor" in nominal.rounds:
        yield _ratio(
            nominal,
            f"load, checked, to plain `read_csv` of local files, {at}",
            1.5,
            (FULL, _step("load")),
            ("floor", _step("load")),
        )
    if "replay" in nominal.rounds:
        yield _ratio(
            nominal,
            f"build without tests, once dbt has started, to replay, {at}",
            1.15,
            (BUILD, _step("build")),
            ("replay", _step("build")),
        )
    if "floor" in nominal.rounds:
        yield _ratio(
            nominal,
            f"run with every test, upload left out, to floor, {at}",
            2,
            (FULL, _without_upload),
            ("floor", _whole),
        )
    for size in report.sizes:
        peak = typical(size, FULL, lambda each: each.whole.peak_bytes)
        what = f"memory of a run, {size.ratings:,} ratings"
        if size.ratings <= NOMINAL:
            yield Goal(what, 2, peak / GIB, " GiB")
        elif limit := _gib(report.memory_limit or ""):
            yield Goal(what, limit, peak / GIB, " GiB")
    for name in (NEW_OBJECT, REPLACED):
        yield _ratio(
            nominal,
            f"{name}, to the first run, uploads left out, {at}",
            0.2,
            (name, _without_upload),
            (FULL, _without_upload),
        )
    if report.edit:
        again = [each.steps["again"] for each in report.edit]
        yield Goal(
            "one model, built and tested again in a warm process, on the sample",
            1,
            median(cost.seconds for cost in again),
            " s",
            median(cost.cpu_seconds for cost in again),
        )
    if len(report.sizes) > 1:
        yield Goal(
            "time of a run against ratings, upload left out: exponent",
            1,
            exponent(report, FULL, lambda each: _without_upload(each).seconds),
        )


def at_nominal(report: BenchReport) -> SizeReport:
    """The size that is nearest to the one that goals are set for."""
    return min(report.sizes, key=lambda size: abs(size.ratings - NOMINAL))


def goals_table(report: BenchReport) -> Table:
    """The goals, and whether they are met."""
    rows = [
        [
            goal.what,
            f"≤ {goal.limit:.3g}{goal.unit}",
            f"{goal.measured:.2f}{goal.unit}",
            "" if goal.in_cpu is None else f"{goal.in_cpu:.2f}{goal.unit}",
            "yes" if goal.is_met else "no",
        ]
        for goal in goals(report)
    ]
    header = ("what", "goal", "measured", "by CPU time", "met")
    return Table("Goals", header, rows)


def asked(report: BenchReport) -> Table:
    """What runs ask of a Snowflake account, and what that may cost."""
    ratings = max(size.ratings for size in report.sizes)
    runs = report.asked.values()
    lines: list[tuple[str, list[float], str]] = [
        ("statements", [each.statements for each in runs], ",.0f"),
        ("for which the warehouse works", [each.on_warehouse for each in runs], ",.0f"),
        ("reads of a table", [each.scans for each in runs], ",.0f"),
        (
            "reads of one with a row for each rating",
            [each.large_scans for each in runs],
            ",.0f",
        ),
        ("tables made anew", [len(each.rewritten) for each in runs], ",.0f"),
        (
            "published ones of them that hold what they held",
            [len(each.unchanged) for each in runs],
            ",.0f",
        ),
        (
            f"credits at {ratings:,} ratings, reasoned",
            [each.credits(ratings) for each in runs],
            ".3f",
        ),
    ]
    return Table(
        "What a run asks of a Snowflake account",
        ("", *report.asked),
        [[label, *(f"{n:{form}}" for n in numbers)] for label, numbers, form in lines],
        note=REASONING,
    )


def exponents(report: BenchReport) -> Table:
    """How wall time grows with the number of ratings, on logarithms."""
    rows = []
    for name in report.sizes[0].rounds:
        if any(name not in size.rounds for size in report.sizes):
            continue
        value = exponent(report, name, lambda each: each.whole.seconds)
        rows.append([name, f"{value:.2f}"])
    return Table(
        "Exponent of wall time against ratings", ("contender", "exponent"), rows
    )


def exponent(
    report: BenchReport, name: str, value: Callable[[Measured], float]
) -> float:
    """The slope of the line through the sizes' medians, on logarithms of both."""
    x = [log(size.ratings) for size in report.sizes]
    y = [log(typical(size, name, value)) for size in report.sizes]
    mean_x, mean_y = fmean(x), fmean(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum(
        (a - mean_x) ** 2 for a in x
    )


def typical(size: SizeReport, name: str, value: Callable[[Measured], float]) -> float:
    """The median over the rounds."""
    return median(map(value, size.rounds[name]))


def tables(report: BenchReport) -> Iterator[Table]:
    """Everything that there is to tell."""
    yield goals_table(report)
    for size in report.sizes:
        yield costs(size)
        yield slowest_nodes(size)
        if size is at_nominal(report):
            yield slowest_nodes(size, NEW_OBJECT)
            yield beside_first(size)
            if {"floor", "replay"} <= size.rounds.keys():
                yield beyond_floor(size)
    if len(report.sizes) > 1:
        yield exponents(report)
    if report.asked:
        yield asked(report)


def _gib(limit: str) -> float | None:
    """A size as DuckDB writes it, in GiB; None for none and for a share of memory."""
    found = re.fullmatch(r"([\d.]+) ?([KMGT])(i?)B", limit, re.IGNORECASE)
    if not found:
        return None
    base = 1024.0 if found[3] else 1000.0
    return float(found[1]) * base ** (1 + "KMGT".index(found[2].upper())) / GIB


def _ratio(
    size: SizeReport,
    what: str,
    limit: float,
    ours: tuple[str, Part],
    other: tuple[str, Part],
) -> Goal:
    """A goal for the time of one part against another's, by their medians."""
    wall, cpu = (
        _median(size, *ours, clock) / _median(size, *other, clock)
        for clock in ("seconds", "cpu_seconds")
    )
    return Goal(what, limit, wall, "×", cpu)


def _median(size: SizeReport, name: str, part: Part, clock: str) -> float:
    return typical(size, name, lambda each: getattr(part(each), clock))


def _whole(measured: Measured) -> Cost:
    return measured.whole


def _part(name: str) -> Part:
    return _step(name) if name else _whole


def _step(name: str) -> Part:
    return lambda measured: measured.steps[name]


def _without_upload(measured: Measured) -> Cost:
    whole, upload = measured.whole, measured.steps["upload"]
    return Cost(
        whole.seconds - upload.seconds,
        whole.cpu_seconds - upload.cpu_seconds,
        whole.peak_bytes,
    )


def _row(rounds: list[Cost]) -> list[str]:
    seconds = [each.seconds for each in rounds]
    peak = median(each.peak_bytes for each in rounds)
    return [
        f"{median(seconds):.2f}" if any(seconds) else "",
        f"{min(seconds):.2f} – {max(seconds):.2f}" if any(seconds) else "",
        f"{median(each.cpu_seconds for each in rounds):.2f}",
        f"{peak / 1e6:,.0f}" if peak else "",
    ]


def _times(size: SizeReport) -> str:
    rounds = len(size.rounds[FULL])
    return "one round" if rounds == 1 else f"{rounds} rounds"
