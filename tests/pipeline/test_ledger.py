"""The ledger beside plain dbt, and in bad states: it states only what is true."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from tests.delivery import UNTESTED, csv
from tests.story import (
    EDITS,
    FIRST,
    MOVIES,
    RAW,
    TAGS,
    Story,
    ask,
    begun,
    cut,
    first,
    small,
    stale,
    story,
)

from reelhouse.engines.duckdb.connection import connect
from reelhouse.errors import ReelhouseError
from reelhouse.run import BuildFailed
from reelhouse.serving.publish import publish
from reelhouse.transform.state import OTHER_LEDGER, UNFINISHED, UNLIKE

__all__ = ["begun", "first", "small", "story"]

# Each test builds for some seconds; `make test` has the story of test_state.py.
pytestmark = pytest.mark.long

TITLES = "select * from marts.dim_movies_history order by all"
NEW = {"ratings/new.csv": csv("ratings", ["20,4,2.5,1300000002"])}


def built(story: Story, *arguments: str, command: str = "build") -> None:
    report = story.desk.build(*arguments, command=command)
    assert not report.failures, report.failures


def whole(story: Story) -> list[tuple[object, ...]]:
    return story.desk.rows(
        "select is_whole from state.nodes where node like 'model.%.fct_ratings'"
    )


def test_dbt_makes_whole_what_an_edit_reaches(begun: Story) -> None:
    begun.deliver(dict(NEW))
    begun.desk.load()
    built(begun, "--select", "fct_ratings", *UNTESTED)
    assert whole(begun) == [(False,)]
    begun.edit("a formula")
    built(begun, "--select", "fct_ratings", *UNTESTED)
    assert whole(begun) == [(True,)]
    assert begun.desk.rows("select min(rating) from marts.fct_ratings") == [(1,)]
    found = stale(begun)
    assert "fct_ratings" not in found
    assert "mart_user_engagement" in found
    with pytest.raises(ReelhouseError, match="Nothing is published, because"):
        publish(begun.desk.settings)
    built(begun, "--select", "fct_ratings", "--full-refresh", *UNTESTED)
    assert whole(begun) == [(True,)]


def dbt(story: Story, *command: str) -> bool:
    """Run dbt's own command line; return whether it succeeds. It leaves its files."""
    story.desk.close()
    warehouse = str(story.desk.settings.warehouse)
    tree = str(story.tree.folder)
    ran = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("dbt")), *command),
            *("--project-dir", tree, "--profiles-dir", tree),
            *("--target-path", f"{warehouse}/target"),
            *("--log-path", f"{warehouse}/logs"),
        ],
        env=os.environ | {"REELHOUSE_WAREHOUSE": warehouse},
        capture_output=True,
        check=False,
    )
    return ran.returncode == 0


def test_broken_sql_is_told_in_a_line_with_its_text(begun: Story) -> None:
    name, old, _ = EDITS["a formula"]
    begun.tree.replace(name, old, old.replace("rating,", "rating in in,"))
    with pytest.raises(BuildFailed, match="the failed warehouse is kept in") as caught:
        begun.desk.run()
    (message,) = caught.value.report.messages
    assert message.endswith("rating in in,")


@pytest.mark.fault("13", "17")
def test_a_failed_build_changes_nothing_and_names_the_test(begun: Story) -> None:
    files = (begun.desk.settings.database, begun.desk.settings.published)
    titles = begun.desk.rows(TITLES)
    begun.desk.close()
    # The failing test runs in the same build that records a title in history.
    test = "assert_nothing_is_rated"
    name = f"tests/data_tests/{test}.sql"
    begun.tree.write(name, "select * from {{ ref('fct_ratings') }}\n")
    begun.deliver({"movies.csv": csv("movies", ["1,Wrong (1994),Drama", *MOVIES[1:]])})
    begun.deliver(dict(NEW))
    before = [file.read_bytes() for file in files]
    with pytest.raises(
        BuildFailed, match="nothing is published and the warehouse is unchanged"
    ) as caught:
        begun.desk.run()
    assert [file.read_bytes() for file in files] == before
    assert [each.name for each in caught.value.report.failures] == [test]
    assert caught.value.report.skipped > 0
    assert caught.value.failed
    with connect(caught.value.failed / "reelhouse.duckdb", read_only=True) as failed:
        wrong = "from snapshots.snap_movies where title = 'Wrong (1994)'"
        assert len(failed.execute(wrong).fetchall()) == 1
    assert not (begun.desk.warehouse / "work").exists()

    # After the fix, no trace of the bad delivery is left.
    begun.tree.take_back(name)
    begun.deliver({"movies.csv": FIRST["movies.csv"], "ratings/new.csv": None})
    assert begun.desk.load().load_id is None
    built(begun, *UNTESTED, "--select", "+dim_movies_history")
    assert begun.desk.rows(TITLES) == titles


@pytest.mark.nightly
def test_a_retry_after_a_mended_failure_is_published(begun: Story) -> None:
    name, old, _ = EDITS["a formula"]
    begun.tree.replace(name, old, old.replace("rating,", "error('no') as rating,"))
    assert not dbt(begun, "build", "--select", "fct_ratings+")
    with pytest.raises(ReelhouseError, match="Nothing is published, because"):
        publish(begun.desk.settings)
    begun.tree.take_back()
    begun.edit("a formula")
    assert dbt(begun, "retry")
    assert stale(begun) == {}
    publish(begun.desk.settings)
    begun.assert_fresh()


@pytest.mark.nightly
def test_the_classic_order_is_published(story: Story) -> None:
    story.deliver(dict(FIRST))
    for files in ({}, {"movies.csv": csv("movies", [*MOVIES, "5,New,War"])}):
        story.deliver(dict(files))
        story.desk.load()
        for command in ("seed", "run", "snapshot", "test"):
            built(story, command=command)
        assert stale(story) == {}
        publish(story.desk.settings)
    story.assert_fresh()


def test_a_summary_tells_what_a_second_delivery_changed(begun: Story) -> None:
    """The first one changes nothing, so nothing was out of date after it."""
    more = csv("tags", [*TAGS, "3,3,new,1100000002"])
    begun.deliver({"2020-01-01/tags.csv": csv("tags", TAGS)})
    begun.deliver({"2020-01-02/tags.csv": more})
    report = begun.run()
    assert [each.load_id is None for each in report.loads] == [True, False]
    assert report.state
    assert report.state.causes[0] == "new data in tags"


def test_only_what_is_up_to_date_and_tested_is_published(begun: Story) -> None:
    def refusal() -> str:
        begun.desk.close()
        with pytest.raises(ReelhouseError) as caught:
            publish(begun.desk.settings)
        return str(caught.value)

    publish(begun.desk.settings)
    begun.deliver({"ratings/late.csv": csv("ratings", ["8,4,1.0,1000000000"])})
    begun.desk.load()
    assert " (new data in ratings)" in refusal()
    assert "Run `reelhouse run`" in refusal()
    built(begun, *UNTESTED)
    assert "more. Run `reelhouse run`" in refusal()
    built(begun, command="test")
    publish(begun.desk.settings)
    skipped = "assert_history_is_sound"
    cut(begun, f"delete from state.nodes where node like '%.{skipped}'")
    assert f"tested: {skipped} (not built yet). Run `dbt build " in refusal()
    built(begun, "--select", skipped, command="test")
    publish(begun.desk.settings)


@pytest.mark.nightly
def test_an_empty_build_is_no_build(begun: Story) -> None:
    history = begun.desk.rows("select * from snapshots.snap_movies order by all")
    with pytest.raises(ReelhouseError, match="left out now would be"):
        begun.desk.build("--empty")
    assert stale(begun) == {}
    built(
        begun,
        "--empty",
        "--select",
        "fct_tags+",
        "--exclude-resource-type",
        "snapshot",
        "test",
    )
    assert begun.desk.rows("select * from marts.fct_tags") == []
    assert stale(begun)["fct_tags"] == UNFINISHED
    begun.run()
    assert (
        begun.desk.rows("select * from snapshots.snap_movies order by all") == history
    )
    begun.assert_fresh()


@pytest.mark.nightly
def test_a_build_as_of_an_earlier_load_leaves_no_trace(begun: Story) -> None:
    begun.deliver({"movies.csv": csv("movies", ["1,Lanterns (1994),War", *MOVIES[1:]])})
    begun.deliver(dict(NEW))
    begun.run()
    as_of = ("--vars", "{as_of_load_id: 1}")
    history = begun.desk.rows("select * from snapshots.snap_movies order by all")
    with pytest.raises(ReelhouseError, match="has changes from after load 1"):
        begun.desk.build("--select", "snap_movies", *as_of)
    assert stale(begun) == {}
    built(begun, "--select", "fct_ratings", *as_of, *UNTESTED)
    assert stale(begun)["fct_ratings"] == UNFINISHED
    begun.run()
    assert (
        begun.desk.rows("select * from snapshots.snap_movies order by all") == history
    )
    begun.assert_fresh()
    # Load numbers continue after raw tables were restored, so the first may be above 1.
    cut(begun, "delete from raw.loads where load_id = 1")
    with pytest.raises(ReelhouseError, match="has changes from after load 1"):
        begun.desk.build("--select", "snap_movies", *as_of)


def test_before_any_load_there_are_seeds_and_a_sentence(story: Story) -> None:
    with pytest.raises(ReelhouseError, match="Nothing is loaded yet"):
        story.desk.build("--select", "test_type:data", command="test")
    built(story, command="seed")
    built(story, "--inline", "select 1 as one", command="show")
    story.deliver(dict(FIRST))
    story.desk.load()
    cut(story, "drop schema state cascade")
    built(story, "--empty", "--select", "+fct_tags", *UNTESTED)
    built(story, command="seed")
    report = story.run()
    assert report.state
    assert "genres" not in {
        report.state.tree.nodes[each].name for each in report.state.stale
    }


@pytest.mark.nightly
def test_order_goes_by_number_when_a_clock_was_ahead(story: Story) -> None:
    story.deliver(dict(FIRST))
    story.desk.moment = datetime(2027, 1, 1)
    story.run()
    story.desk.moment = datetime(2026, 1, 1)
    story.deliver(dict(NEW))
    story.run()
    story.assert_fresh()
    loads = story.desk.rows("select load_id, loaded_at from raw.loads order by 1")
    assert [number for number, _ in loads] == [1, 2]
    assert loads[0][1] < loads[1][1]
    story.assert_replayed()


@pytest.mark.nightly
def test_raw_tables_put_back_make_nothing_look_current(begun: Story) -> None:
    """Restore the raw tables but not the marts, as Time Travel in an account can."""
    tables = [
        name
        for (name,) in begun.desk.rows(
            "select table_name from duckdb_tables() where schema_name = 'raw'"
        )
    ]
    cut(
        begun,
        "create schema kept",
        *(f"create table kept.{each} as from raw.{each}" for each in tables),
    )
    bad = ["1,1,0.5,1000000000", "30,2,0.5,1300000009"]
    begun.deliver({"ratings/new.csv": csv("ratings", bad)})
    begun.run()
    for each in tables:
        cut(
            begun, f"delete from raw.{each}", f"insert into raw.{each} from kept.{each}"
        )
    cut(begun, "drop schema kept cascade")
    assert stale(begun)["fct_ratings"] == "new data in ratings"
    begun.deliver(dict(NEW))
    report = begun.run()
    assert report.loaded.load_id == 3
    assert "fct_ratings" in report.from_scratch
    begun.assert_fresh()


def test_a_table_that_is_not_as_its_row_says_is_made_anew(begun: Story) -> None:
    cut(
        begun,
        "drop table marts.fct_tags",
        "alter table marts.dim_genres add column more integer",
        "delete from marts.fct_ratings where user_id = 1",
        "create or replace view intermediate.int_movies_parsed as select 1 as one",
        "delete from state.nodes where node like 'seed.%.genres'",
    )
    found = stale(begun)
    for name in ("fct_tags", "dim_genres", "fct_ratings", "int_movies_parsed"):
        assert found[name] == UNLIKE, name
    assert found["genres"] == UNFINISHED
    built(begun, "--select", "fct_ratings", *UNTESTED)
    assert whole(begun) == [(True,)]
    begun.run()
    begun.assert_fresh()


LEDGERS = {
    "newer": "alter table state.nodes add column more integer",
    "older": "alter table state.nodes drop column loaded_at",
    "of other hashes": "update state.nodes set own = '{}', rules = ''",
}


@pytest.mark.nightly
def test_a_ledger_of_another_version_is_not_believed(begun: Story) -> None:
    begun.deliver(dict(NEW))
    begun.desk.close()
    kept = begun.elsewhere("kept").warehouse
    shutil.copytree(begun.desk.warehouse, kept)
    for name, statement in LEDGERS.items():
        shutil.copy(kept / "reelhouse.duckdb", begun.desk.warehouse)
        cut(begun, statement)
        reason = stale(begun)["fct_ratings"]
        assert reason in {OTHER_LEDGER, "its code changed"}, name
    report = begun.run()
    assert report.built.models > 30
    assert stale(begun) == {}
    begun.assert_fresh()


@pytest.mark.nightly
def test_what_a_contract_lets_in_comes_through(begun: Story) -> None:
    begun.deliver({"ratings/new.csv": csv("ratings", ["20,4,7.0,1300000002"])})
    begun.run()
    assert ask(begun.desk, "select max(rating) from serving.fct_ratings") == [(5,)]
    begun.tree.replace(RAW, "min: 0.5, max: 5,", "min: 0.5, max: 8,")
    begun.run()
    assert ask(begun.desk, "select max(rating) from serving.fct_ratings") == [(7,)]
    begun.assert_fresh()
