"""The table of faults: every fault is tested, and the table shows the real results."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults import tally
from tests.faults.plugin import (
    BEGIN,
    Case,
    faults,
    marked_down,
    printed,
    untried,
    verdict,
    write_page,
)
from tests.project import PROJECT

NUMBERS = [fault.number for fault in faults()]
MARK = re.compile(r"mark\.fault\(([^)]*)\)|failing\(([^)]*)\)")
PAGE = PROJECT / "docs/faults.md"


def case(*numbers: str, outcome: str = "passed", why: str = "", lost: int = 0) -> Case:
    counts = {"kills": 700}
    return Case(numbers, outcome, why, compared=1200, lost=lost, counts=counts)


def test_some_test_is_marked_with_each_fault() -> None:
    marked = {
        number
        for path in (PROJECT / "tests").rglob("test_*.py")
        for groups in MARK.findall(path.read_text(encoding="utf-8"))
        for number in re.findall(r'"(\w+)"', "".join(groups))
    }
    assert set(NUMBERS) <= marked


def test_the_page_has_a_row_for_each_fault() -> None:
    made = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2]
    for fault in faults():
        assert f"\n| {fault.number} | {fault.fault} | {fault.outcome} | " in made
    assert " 0 rows lost." in made


def test_a_fault_that_is_not_tried_is_known() -> None:
    cases = {"one": case(*NUMBERS[2:]), "two": case(NUMBERS[0], outcome="skipped")}
    assert untried(cases) == NUMBERS[:2]
    assert untried({"all": case(*NUMBERS, outcome="failed")}) == []


def test_a_verdict_hides_no_failure() -> None:
    good, skipped = case("1"), case("1", outcome="skipped", why="no disk")
    assert verdict([good, good]) == "as it must"
    assert verdict([good, skipped]) == "as it must, 1 skipped"
    assert verdict([skipped, skipped]) == "not tried: no disk"
    assert verdict([]) == "not tried"
    assert verdict([good, case("1", outcome="failed"), skipped]) == "1 failed"


def test_the_table_adds_up_and_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Faults\n\n" + BEGIN + "old", encoding="utf-8")
    cases = {
        "tests/test_a.py::test_a_thing[x]": case("3"),
        "tests/test_a.py::test_a_thing[y]": case("3", "4", lost=1),
    }
    write_page(page, cases)
    text = page.read_text(encoding="utf-8")
    assert text == "# Faults\n\n" + BEGIN + "\n" + marked_down(cases)
    assert f"2 cases of {len(NUMBERS)} faults; 2,400 rows compared, 1 " in text
    assert "| 2 | as it must | 2,400 | 1 |" in text
    assert "- a thing (2 cases): `tests/test_a.py`\n- 1,400 kills\n" in text
    assert "\n  3      2          2,400      1  S3 answers" in printed(cases)


def test_rows_are_counted_with_their_number() -> None:
    tally.reset()
    tally.rows([(1,), (1,), (2,)], [(1,), (3,)])
    tally.number(5, 4)
    assert (tally.current.compared, tally.current.lost) == (8, 3)
    tally.reset()
