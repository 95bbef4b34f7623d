"""The ledger on both targets: the same steps cause the same work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tests.delivery import Both, csv
from tests.emulated import statements
from tests.snowflake_rules import assert_sent_well
from tests.story import (
    CATEGORIES,
    EDITS,
    FIRST,
    TAGS,
    Story,
    cut,
    small,
    snapshots,
    told,
)

from reelhouse.engines.snowflake.connection import open_account
from reelhouse.local.bucket import environment as aws_variables
from reelhouse.local.emulator import environment as account_variables
from reelhouse.local.emulator import serve_emulator
from reelhouse.run import BuildFailed, RunReport
from reelhouse.s3 import S3Settings
from reelhouse.settings import environment

__all__ = ["small"]

# The adapter uses a name of an argument that the connector has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:The 'insecure_mode':DeprecationWarning")


@pytest.fixture
def story(
    s3_server: S3Settings, small: Path, tmp_path: Path, bucket: str
) -> Iterator[Story]:
    with ExitStack() as stack:
        stack.enter_context(environment(aws_variables(s3_server)))
        emulator = stack.enter_context(serve_emulator())
        stack.enter_context(environment(account_variables(emulator)))
        yield stack.enter_context(told(s3_server, small, tmp_path, bucket))


def names(report: RunReport) -> list[str]:
    return sorted(each.name for each in report.built.times)


def alike(both: Both, has_failed: bool = False) -> RunReport:
    """Run both targets, and check that they build and publish the same.

    An account keeps what a failed run has built of new rules, and does not rebuild it.
    """
    dev, prod = both.run()
    assert {*names(prod)} <= {*names(dev)}
    if not has_failed:
        assert names(prod) == names(dev)
    assert prod.from_scratch.keys() == dev.from_scratch.keys()
    assert prod.is_up_to_date == dev.is_up_to_date
    assert prod.built.warnings == dev.built.warnings
    assert [each for each in both.compare().tables if not each.is_equal] == []
    return dev


@pytest.fixture
def both(story: Story, tmp_path: Path) -> Both:
    """The story on both targets."""
    prod = replace(story.desk, warehouse=tmp_path / "prod", target="prod")
    return Both(story.desk, prod, tmp_path)


# Rules of an incremental model, of a view, and two that snapshots depend on.
RULES = [
    EDITS["a formula"],
    EDITS["a view"],
    EDITS["history's input"],
    (CATEGORIES, "fading,100,", "fading,20,"),
]


@pytest.mark.nightly
def test_rules_that_change_between_two_loads_give_equal_tables(
    story: Story, both: Both
) -> None:
    def versions() -> dict[str, int]:
        alike(both)
        with open_account("prod") as account:
            recorded = snapshots(account.ask)
        assert recorded == snapshots(both.dev.rows)
        return {name: len(rows) for name, (_, rows) in recorded.items()}

    story.deliver(dict(FIRST))
    before = versions()
    for rule in RULES:
        story.tree.replace(*rule)
    changed = versions()
    story.tree.take_back()
    story.deliver({"tags.csv": csv("tags", [*TAGS, "3,3,new,1100000002"])})
    taken_back = versions()
    name = "snap_movies"
    assert before[name] < changed[name] < taken_back[name]
    sent = len(statements())
    assert both.prod.run(rebuild=True).published
    assert_sent_well(statements()[sent:])


@pytest.mark.nightly
def test_both_targets_do_the_same_work(story: Story, both: Both) -> None:
    story.deliver(dict(FIRST))
    alike(both)
    assert alike(both).is_up_to_date
    warning = "tests/data_tests/assert_few_tag.sql"
    found = "select * from {{ ref('int_tags_normalised') }}\n"
    story.tree.write(warning, "{{ config(severity='warn') }}\n" + found)
    story.deliver(
        {
            "2026-02-01/tags.csv": csv("tags", [*TAGS, "3,3,new,1100000002"]),
            # This delivery changes nothing that the test reads.
            "2026-02-02/links.csv": csv("links", ["1,0114709,862"]),
        }
    )
    report = alike(both)
    assert len(report.loads) == 2
    assert "fct_tags" in names(report)
    assert "fct_ratings" not in names(report)
    # The warning is reported, and the table with the warning is published.
    assert [each.name for each in report.built.warnings] == ["assert_few_tag"]
    story.tree.take_back(warning)
    story.edit("a formula")
    story.edit("history's input")
    failing = "tests/data_tests/assert_nothing_is_rated.sql"
    story.tree.write(failing, "select * from {{ ref('fct_ratings') }}\n")
    for desk in (both.dev, both.prod):
        with pytest.raises(BuildFailed, match="assert_nothing_is_rated"):
            desk.run()
    story.tree.take_back(failing)
    assert "fct_ratings" in alike(both, has_failed=True).from_scratch
    story.tree.take_back()
    assert "fct_ratings" in alike(both).from_scratch
    assert alike(both).is_up_to_date
    # A ledger written by another version, and a build that fails on top of it.
    other = "alter table state.nodes add column more integer"
    cut(story, other)
    with open_account("prod") as account:
        account.ask(other)
    story.tree.write(failing, "select * from {{ ref('fct_ratings') }}\n")
    for desk in (both.dev, both.prod):
        with pytest.raises(BuildFailed, match="assert_nothing_is_rated"):
            desk.run()
    story.tree.take_back(failing)
    assert "fct_ratings" in names(alike(both, has_failed=True))
