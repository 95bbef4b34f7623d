"""The tree's own tests notice when one of its rules is broken.

A mutant that shows only when a second load is built onto a first one is tested on a
warehouse that was built from the first load and has loaded the second.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tests.delivery import UNTESTED, Delivery, unbuilt
from tests.mutants.mutants import (
    BadMutant,
    Mutant,
    Verdict,
    broken,
    find,
    in_batches,
    mutate,
    read,
    touched,
    try_out,
)

from reelhouse.cli.show import steps
from reelhouse.errors import ReelhouseError
from reelhouse.movielens.generate import generate
from reelhouse.s3 import S3Settings, upload
from reelhouse.transform.build import parsed

pytestmark = pytest.mark.long

# Enough to have movies and users on both sides of most limits.
RATINGS = 12_000
GONE_USERS = (b"3,", b"17,")
NEW_RATINGS = [b"90001,1,4.5,1500000000", b"90001,77777,1.0,1500000001"]
EARLY, LATE = b"900000000", b"1500000000"

COHORTS = "mart_user_cohorts"
WHERE = "where month = cohort_month"


def second_delivery(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return a second delivery: rows, users and movies are added and removed."""
    lines = {name: body.splitlines() for name, body in files.items()}
    header, *ratings = [
        line for line in lines["ratings.csv"] if not line.startswith(GONE_USERS)
    ]
    kept = [line for number, line in enumerate(ratings) if number % 10]
    again = [
        b",".join([*line.split(b",")[:2], b"0.5", (EARLY, LATE)[number % 2]])
        for number, line in enumerate(ratings[1::60])
    ]
    movies = [
        line.replace(b" (", b" Again (") if number % 7 == 0 else line
        for number, line in enumerate(lines["movies.csv"])
        if number % 9 != 1
    ]
    movies[5::8] = [line + b"|Western" for line in movies[5::8]]
    tags = [
        line.upper() if number % 5 == 1 else line
        for number, line in enumerate(lines["tags.csv"])
        if number % 6 != 1
    ]
    genome_tags = [line.replace(b"1,", b"1,not ") for line in lines["genome-tags.csv"]]
    scores = [
        line[:-1] + b"1" if number % 2 else line
        for number, line in enumerate(lines["genome-scores.csv"])
        if number % 9 != 1
    ]
    changed = {
        "ratings.csv": [header, *kept, *again, *NEW_RATINGS],
        "movies.csv": movies,
        "tags.csv": tags,
        "genome-tags.csv": genome_tags[:-1],
        "genome-scores.csv": scores,
    }
    return {name: b"\r\n".join([*each, b""]) for name, each in changed.items()}


def prepare(s3: S3Settings, folder: Path) -> None:
    """Make a warehouse in `built`, and in `pending` a copy from before its last build.

    Tests that already fail without a mutant would say nothing about one.
    """
    generate(folder / "data", RATINGS, seed=1, dirty=True)
    files = {path.name: path.read_bytes() for path in folder.glob("data/*.csv")}
    upload(s3, [], "s3://mutants-bucket")
    delivery = Delivery(s3, "mutants-bucket", folder / "built")
    delivery.moment = datetime(2026, 1, 1)
    delivery.put(files).load()
    assert delivery.build(*UNTESTED).failures == []
    delivery.moment = datetime(2026, 1, 2)
    delivery.put(second_delivery(files)).load()
    (folder / "pending").mkdir()
    shutil.copy(delivery.settings.database, folder / "pending")
    assert delivery.build("--exclude-resource-type", "unit_test").failures == []


def show(verdicts: list[Verdict]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    table = Table("", "node", "before → after", "result", "by", box=None)
    table.pad_edge = False
    for number, verdict in enumerate(verdicts, start=1):
        mutant = verdict.mutant
        change = f"{mutant.before} → {mutant.after or 'nothing'}"
        cells = [str(number), mutant.node, change, verdict.result, verdict.by]
        style = "" if verdict.result == "caught" else "bold red"
        texts = [Text(" ".join(cell.split()), overflow="fold") for cell in cells]
        table.add_row(*texts, style=style)
    console.print(table)
    caught = sum(verdict.result == "caught" for verdict in verdicts)
    console.print(f"{len(verdicts)} mutants, {caught} caught")


def cohorts(before: str, after: str) -> Mutant:
    return Mutant(COHORTS, "a rule", before, after)


# --- the list


@pytest.fixture(scope="module")
def manifest() -> Any:
    return parsed(unbuilt())


def test_every_mutant_fits_the_tree(manifest: Any) -> None:
    mutants = read()
    assert len(mutants) >= 200
    changes = {
        (mutant.node, broken(find(manifest, mutant), mutant)) for mutant in mutants
    }
    assert len(changes) == len(mutants)


@pytest.mark.parametrize("node", ["int_nowhere", "duckdb", "is_incremental"])
def test_a_mutant_of_no_node_of_the_tree_is_an_error(manifest: Any, node: str) -> None:
    with pytest.raises(BadMutant, match=f"no model, snapshot or macro '{node}'"):
        mutate(manifest, Mutant(node, "a rule", "a", "b"))


@pytest.mark.parametrize("before", ["where month > cohort_month", "cohort_month"])
def test_a_text_that_is_not_there_once_is_an_error(manifest: Any, before: str) -> None:
    with pytest.raises(BadMutant, match=rf"{COHORTS}.*'{before}' \d+ times, not once"):
        mutate(manifest, cohorts(before, "true"))


def test_a_macro_that_nothing_uses_is_an_error(manifest: Any) -> None:
    with pytest.raises(BadMutant, match="uses the macro generate_schema_name"):
        touched(manifest, manifest.macros["macro.reelhouse.generate_schema_name"])


def test_a_macro_touches_what_uses_it_by_way_of_others(manifest: Any) -> None:
    white_space = manifest.macros["macro.reelhouse.white_space"]
    names = {node.name for node in touched(manifest, white_space)}
    assert {"int_movies_deduplicated", "int_movies_parsed"} < names
    assert "mart_user_cohorts" not in names


def test_mutants_that_share_a_model_are_not_tried_at_once(manifest: Any) -> None:
    wide = Mutant("white_space", "a rule", "", "")
    narrow = Mutant("int_movies_parsed", "a rule", "", "")
    one, two = cohorts("one", ""), cohorts("two", "")
    snapshot = Mutant("snap_movies", "a rule", "", "")
    batches = in_batches(manifest, [one, narrow, snapshot, two, wide])
    assert batches == [[wide, one], [narrow, two]]


@pytest.mark.parametrize(
    "entry",
    [
        "{node: a, rule: b, before: c}",
        "{node: a, rule: b, before: c, after: false}",
        "{node: a, rule: b, before: c, after: d, part: file}",
        "{node: a, rule: b, before: c, after: d, second: e}",
        "{node: a, rule: b, before: c, after: d, second_load: true}",
        "a text",
    ],
)
def test_an_entry_that_is_no_mutant_is_named(entry: str, tmp_path: Path) -> None:
    (tmp_path / "list.yml").write_text(f"- {entry}\n")
    with pytest.raises(ReelhouseError, match=r"list\.yml has an entry that is no"):
        read(tmp_path / "list.yml")


# --- the mutants themselves

# These are not mutants that tests catch: the runner must not report them as caught.
CONTROLS = {
    "same": cohorts(WHERE, f"{WHERE} and true"),
    "same after a second load": Mutant(
        "delete_vanished",
        "a rule",
        "where removals.is_removal",
        "where removals.is_removal and true",
        second_load="assert_reconciliation_leaves_nothing_unexplained",
    ),
    "gone": cohorts("where month > cohort_month", "true"),
    "no column": cohorts(WHERE, "where no_column = cohort_month"),
    "no SQL": cohorts(WHERE, "where where"),
    "no Jinja": cohorts(WHERE, "where {{ no_macro() }}"),
    "no table": Mutant(
        "fct_tags", "a rule", "where tag_normalised != ''", "where missing.tag = ''"
    ),
}


@pytest.fixture(scope="module")
def verdicts(
    s3_server: S3Settings, tmp_path_factory: pytest.TempPathFactory
) -> list[Verdict]:
    """Return the verdicts on the list, followed by those on the controls."""
    folder = tmp_path_factory.mktemp("mutants")
    prepare(s3_server, folder)
    mutants = [*read(), *CONTROLS.values()]
    found = {}
    with steps() as tell:
        for verdict in try_out(mutants, folder, folder):
            found[verdict.mutant] = verdict
            tell("mutants", len(found), len(mutants))
    return [found[mutant] for mutant in mutants]


@pytest.mark.nightly
def test_every_mutant_is_caught(
    verdicts: list[Verdict], request: pytest.FixtureRequest
) -> None:
    tried = verdicts[: -len(CONTROLS)]
    if request.config.getoption("capture") == "no":
        show(tried)
    assert [each for each in tried if each.result != "caught"] == []


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "result", "by"),
    [
        ("same", "SURVIVED", ""),
        ("same after a second load", "SURVIVED", ""),
        ("gone", "ERROR", "0 times, not once"),
        ("no column", "ERROR", "no_column"),
        ("no SQL", "ERROR", "Parser Error"),
        ("no Jinja", "ERROR", "no_macro"),
        ("no table", "ERROR", "missing"),
    ],
)
def test_a_mutant_that_is_none_is_not_caught(
    name: str, result: str, by: str, verdicts: list[Verdict]
) -> None:
    found = dict(zip(CONTROLS, verdicts[-len(CONTROLS) :], strict=True))[name]
    assert found.result == result
    assert by in found.by
