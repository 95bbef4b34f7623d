"""The table of faults: which cases test each fault, their results and lost rows.

Tests are marked `fault("3")` with the rows of faults.yml that they test. conftest.py
imports the hooks from here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import yaml
from tests.faults import tally

FAULTS = Path(__file__).with_name("faults.yml")
BEGIN = "<!-- Made by `make faults` from here on; changes are lost. -->\n"
PROPERTY = "fault"


@dataclass(frozen=True)
class Fault:
    """A row of the table: its number, the fault and the required outcome."""

    number: str
    fault: str
    outcome: str


@dataclass(frozen=True)
class Case:
    """A test of some faults: how it ended, and what it compared."""

    numbers: tuple[str, ...]
    outcome: str
    reason: str
    compared: int
    lost: int
    counts: dict[str, int]


Cases = dict[str, Case]
cases: Cases = {}
# Cases of this session; they replace the cases kept from earlier sessions.
own_cases: set[str] = set()


def faults() -> list[Fault]:
    """Return the rows of the table in their order."""
    text = FAULTS.read_text(encoding="utf-8")
    return [Fault(**each) for each in yaml.safe_load(text)]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption(
        "--fault-page",
        metavar="FILE",
        help="print the table of faults, and write it into this page",
    )
    group.addoption(
        "--fault-cases",
        metavar="FILE",
        help="count what former sessions kept in this file too, and keep it there",
    )
    group.addoption(
        "--kills",
        type=int,
        default=20,
        metavar="N",
        help="how many runs are killed at random moments (20)",
    )
    group.addoption(
        "--kill-seed",
        type=int,
        metavar="N",
        help="what the moments of the kills are drawn from (any number)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "fault(*numbers): tries these rows of tests/faults/faults.yml"
    )
    kept = config.getoption("fault_cases")
    if kept and Path(kept).exists():
        found = json.loads(Path(kept).read_text(encoding="utf-8"))
        cases.update({node: Case(**each) for node, each in found.items()})


def check_faults(items: list[pytest.Item]) -> None:
    """Raise UsageError if a test names a fault that is not in the table."""
    known = {fault.number for fault in faults()}
    for item in items:
        for number in set(_numbers(item)) - known:
            raise pytest.UsageError(f"{item.nodeid}: there is no fault {number!r}")


def pytest_runtest_setup() -> None:
    tally.reset()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    numbers = _numbers(item)
    if numbers and (report.when == "call" or report.outcome != "passed"):
        own = {"numbers": numbers, **asdict(tally.current)}
        report.user_properties.append((PROPERTY, own))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, own in report.user_properties:
        known = cases.get(report.nodeid) if report.nodeid in own_cases else None
        if name != PROPERTY or (known and known.outcome == "failed"):
            continue
        own_cases.add(report.nodeid)
        assert isinstance(own, dict)
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        cases[report.nodeid] = Case(
            numbers=tuple(own["numbers"]),
            outcome=report.outcome,
            reason=str(why).removeprefix("Skipped: "),
            compared=own["compared"],
            lost=own["lost"],
            counts=own["counts"],
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    page = session.config.getoption("fault_page")
    kept = session.config.getoption("fault_cases")
    if hasattr(session.config, "workerinput"):
        return
    if kept:
        found = {node: asdict(each) for node, each in cases.items()}
        Path(kept).write_text(json.dumps(found), encoding="utf-8")
    if page:
        write_page(Path(page), cases)
        if untried(cases) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if config.getoption("fault_page"):
        terminalreporter.section("faults")
        terminalreporter.write_line(printed(cases))


def untried(cases: Cases) -> list[str]:
    """Return the numbers of faults that no case has tested without being skipped."""
    tried = {
        number
        for case in cases.values()
        if case.outcome != "skipped"
        for number in case.numbers
    }
    return [fault.number for fault in faults() if fault.number not in tried]


def verdict(tried: list[Case]) -> str:
    """Summarize how the cases of a fault ended."""
    counts = Counter(case.outcome for case in tried)
    if not counts["passed"] and not counts["failed"]:
        reasons = sorted({case.reason for case in tried})
        return "not tried" + "".join(f": {reason}" for reason in reasons)
    if counts["failed"]:
        return f"{counts['failed']} failed"
    return "as it must" + (f", {counts['skipped']} skipped" * bool(counts["skipped"]))


def printed(cases: Cases) -> str:
    """Return the table for a terminal, one line for each fault and other count."""
    lines = [
        f"{'':>3}  {'cases':>5}  {'rows compared':>13}  {'lost':>5}  fault: outcome"
    ]
    for fault in faults():
        tried = _of(fault, cases)
        lines.append(
            f"{fault.number:>3}  {len(tried):>5}  {_sum(tried, 'compared'):>13,}  "
            f"{_sum(tried, 'lost'):>5,}  {fault.fault}: {verdict(tried)}"
        )
        lines += [f"{'':34}{count}" for count in _counts(tried)]
    return "\n".join([*lines, _total(cases)])


def write_page(page: Path, cases: Cases) -> None:
    """Replace the table in a page."""
    introduction = page.read_text(encoding="utf-8").partition(BEGIN)[0]
    page.write_text(introduction + BEGIN + "\n" + marked_down(cases), encoding="utf-8")


def marked_down(cases: Cases) -> str:
    """Return the table in Markdown, followed by the cases of each fault."""
    lines = [
        _total(cases),
        "",
        "| # | fault | right outcome | cases | outcome | rows compared | lost |",
        "| --- | --- | --- | --: | --- | --: | --: |",
    ]
    for fault in faults():
        tried = _of(fault, cases)
        cells = [
            fault.number,
            fault.fault,
            fault.outcome,
            f"{len(tried)}",
            verdict(tried),
            f"{_sum(tried, 'compared'):,}",
            f"{_sum(tried, 'lost'):,}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## The cases"]
    for fault in faults():
        lines += ["", f"### {fault.number}. {fault.fault}", ""]
        lines += [f"- {line}" for line in _names(fault, cases)]
        lines += [f"- {count}" for count in _counts(_of(fault, cases))]
    return "\n".join(lines) + "\n"


def _numbers(item: pytest.Item) -> tuple[str, ...]:
    marks = item.iter_markers("fault")
    return tuple(dict.fromkeys(number for mark in marks for number in mark.args))


def _of(fault: Fault, cases: Cases) -> list[Case]:
    return [case for case in cases.values() if fault.number in case.numbers]


def _sum(tried: list[Case], name: str) -> int:
    return sum(getattr(case, name) for case in tried)


def _counts(tried: list[Case]) -> list[str]:
    """Sum up the other counts of the cases, each as `3 things`."""
    counts = sum((Counter(case.counts) for case in tried), Counter[str]())
    return [f"{number:,} {what}" for what, number in sorted(counts.items())]


def _total(cases: Cases) -> str:
    every = list(cases.values())
    return (
        f"{len(every):,} cases of {len(faults())} faults; "
        f"{_sum(every, 'compared'):,} rows compared, {_sum(every, 'lost'):,} rows lost."
    )


def _names(fault: Fault, cases: Cases) -> list[str]:
    """List the tests of a fault in words, grouped by function."""
    groups: dict[tuple[str, str], list[str]] = {}
    for node, case in sorted(cases.items()):
        if fault.number in case.numbers:
            file, _, name = node.partition("::")
            function, _, values = name.partition("[")
            groups.setdefault((file, function), []).append(values.removesuffix("]"))
    lines = []
    for (file, function), each in groups.items():
        words = re.sub("^test_", "", function).replace("_", " ")
        count = f" ({len(each)} cases)" if len(each) > 1 else ""
        lines.append(f"{words}{count}: `{file}`")
    return lines
