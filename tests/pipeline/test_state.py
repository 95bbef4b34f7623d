"""After any change of files or rules, a run publishes what a new warehouse would."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.delivery import csv, unbuilt
from tests.project import PROJECT
from tests.story import (
    EDITS,
    FIRST,
    MOVIES,
    RATINGS,
    TAGS,
    Story,
    ask,
    begun,
    cut,
    first,
    small,
    told,
)
from tests.tree import EditedTree

from reelhouse.engines.snowflake.reading import fetch_serving
from reelhouse.errors import ReelhouseError
from reelhouse.local.emulator import EmulatorSettings
from reelhouse.local.emulator import environment as account_variables
from reelhouse.run import BuildFailed
from reelhouse.s3 import S3Settings, upload
from reelhouse.serving.compare import compare
from reelhouse.settings import environment
from reelhouse.transform.build import parse_folder
from reelhouse.transform.state import REMEMBERED, Node, read_tree

__all__ = ["begun", "first", "small"]


# The adapter uses a name of an argument that the connector has deprecated.
@pytest.mark.filterwarnings("ignore:The 'insecure_mode':DeprecationWarning")
def test_deliveries_and_edits_end_as_in_fresh_warehouses(
    begun: Story, emulator: EmulatorSettings
) -> None:
    """`make test` runs this: a new warehouse of each engine must have equal tables."""
    file = begun.desk.settings.database.stat().st_ino
    report = begun.run()
    assert report.is_up_to_date
    assert report.built.counts == {}
    # Nothing was copied.
    assert begun.desk.settings.database.stat().st_ino == file
    begun.deliver({"tags.csv": csv("tags", [*TAGS, "3,3,new,1100000002"])})
    begun.edit("history's input")
    report = begun.run()
    assert report.state
    assert report.state.causes[0] == "new data in tags"
    assert "fct_ratings" not in {each.name for each in report.built.times}
    begun.deliver({"ratings/late.csv": csv("ratings", ["8,4,1.0,900000000"])})
    begun.tree.take_back()
    begun.edit("a formula")
    report = begun.run()
    assert report.from_scratch["fct_ratings"] == "its code changed"
    assert ask(begun.desk, "select min(rating) from serving.fct_ratings") == [(1,)]
    fresh, prod = begun.elsewhere("fresh"), begun.elsewhere("prod")
    here = fresh.run()
    begun.assert_fresh(fresh)
    prod.target = "prod"
    with environment(account_variables(emulator)):
        there = prod.run()
        assert there.built.counts == here.built.counts
        fetch_serving(prod.settings.published, "prod")
        assert prod.run().is_up_to_date
    compared = compare(fresh.settings.published, prod.settings.published)
    assert [each for each in compared.tables if not each.is_equal] == []
    assert len(compared.tables) > 8


@pytest.mark.nightly
@pytest.mark.parametrize("kind", EDITS)
def test_an_edit_of_a_rule_reaches_all_behind_it(
    begun: Story, first: Story, kind: str
) -> None:
    begun.edit(kind)
    report = begun.run()
    assert report.state
    assert 0 < len(report.state.to_build) < report.state.total, report.state.causes
    begun.assert_fresh()
    begun.tree.take_back()
    begun.run()
    begun.assert_fresh(first.desk)


def fail(story: Story) -> None:
    """Run with a test that fails, then remove the test."""
    name = "tests/data_tests/assert_nothing_is_rated.sql"
    story.tree.write(name, "select * from {{ ref('fct_ratings') }}\n")
    with pytest.raises(BuildFailed):
        story.desk.run()
    story.tree.take_back(name)


STEPS: dict[str, Callable[[Story], object]] = {
    "new ratings": lambda story: story.deliver(
        {"ratings/new.csv": csv("ratings", ["20,4,2.5,1300000002"])}
    ),
    "late, tied and rated again": lambda story: story.deliver(
        {
            "ratings/other.csv": csv(
                "ratings",
                ["2,1,0.5,900000000", "3,1,5.0,1000259200", "4,1,4.5,1300000000"],
            )
        }
    ),
    "fewer ratings": lambda story: story.deliver(
        {"ratings.csv": csv("ratings", RATINGS[3:])}
    ),
    "the first ratings": lambda story: story.deliver(
        {"ratings.csv": FIRST["ratings.csv"]}
    ),
    "an object gone": lambda story: story.deliver({"ratings/other.csv": None}),
    "a movie less, a title more": lambda story: story.deliver(
        {"movies.csv": csv("movies", ["1,Lanterns (1994),Drama", *MOVIES[2:]])}
    ),
    "the first movies": lambda story: story.deliver(
        {"movies.csv": FIRST["movies.csv"]}
    ),
    "another tag": lambda story: story.deliver(
        {"tags.csv": csv("tags", [TAGS[1], "3,3,new,1100000002"])}
    ),
    "run": lambda story: story.run(),
    "run again": lambda story: story.run(),
    "everything": lambda story: story.run(everything=True),
    "a part by dbt": lambda story: story.desk.build("--select", "fct_ratings"),
    "dbt run": lambda story: story.desk.build(command="run"),
    "a failed run": fail,
    "a killed build": lambda story: cut(
        story,
        "update state.nodes set result = "
        "'running' where node like 'model.%fct_ratings'",
    ),
    "a table gone": lambda story: cut(story, "drop table marts.fct_tags"),
    "rows gone": lambda story: cut(story, "delete from marts.fct_ratings"),
}
STEPS |= {f"edit of {kind}": partial(Story.toggle, kind=kind) for kind in EDITS}


@pytest.mark.nightly
@settings(
    max_examples=3,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
)
@given(names=st.lists(st.sampled_from(sorted(STEPS)), min_size=5, max_size=9))
def test_whatever_happens_ends_as_in_a_fresh_warehouse(
    s3_server: S3Settings,
    small: Path,
    tmp_path_factory: pytest.TempPathFactory,
    names: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("whatever")
    upload(s3_server, [], f"s3://{folder.name}")
    with told(s3_server, small, folder, folder.name) as story:
        story.deliver(dict(FIRST))
        story.run()
        for name in names:
            STEPS[name](story)
        story.run()
        story.assert_fresh()
        story.assert_replayed()


def test_what_is_said_of_a_test_is_no_rule() -> None:
    """dbt loses it when a file of a model that the test reads changes."""
    nodes = read_tree(unbuilt()).nodes.values()
    assert {node.docs for node in nodes if node.kind == "test"} == {""}
    assert all(node.docs for node in nodes if node.kind != "test")


def test_an_edit_that_is_taken_back_is_not_parsed_again(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = EditedTree(tmp_path, monkeypatch, small)
    parses: list[str] = []

    def describe(_: object) -> str:
        parses.append("")
        name = f"node.{len(parses)}"
        nodes = {name: dict.fromkeys(Node.__annotations__, name)}
        sql = ["source_versions_sql", "relation_shapes_sql", "ledger_columns"]
        return json.dumps({"nodes": nodes} | dict.fromkeys(sql, ""))

    monkeypatch.setattr("reelhouse.transform.state.describe", describe)

    def looks_like(number: int) -> bool:
        return [*read_tree(unbuilt()).nodes] == [f"node.{number}"]

    assert looks_like(1)
    tree.write("models/odd.sql", "select 1 as one")
    assert looks_like(2)
    tree.take_back()
    assert looks_like(1)
    tree.write("models/odd.sql", "select 1 as one")
    assert looks_like(2)
    for number in range(3, 3 + REMEMBERED):
        tree.write("models/odd.sql", f"select {number} as one")
        assert looks_like(number)
    tree.take_back()
    assert looks_like(3 + REMEMBERED)
    remembered = parse_folder(unbuilt()) / "trees.json"
    of_lists = json.dumps(
        {key: {"nodes": []} for key in json.loads(remembered.read_text())}
    )
    for nothing in ("[1]", "{", "3", '{"a": 1}', of_lists):
        remembered.write_text(nothing)
        before = len(parses)
        assert looks_like(before + 1)
        assert looks_like(before + 1)
    remembered.unlink()
    remembered.mkdir()
    assert looks_like(before + 2)
    assert looks_like(before + 3)


# Edits of one model that are easy to overlook.
OVERLOOKED = {
    "a macro with an odd name": {
        "macros/odd.sql": "{% macro _Odd() %}1{% endmacro %}",
        "models/odd.sql": "select {{ _Odd() }} as one",
    },
    "that macro": {"macros/odd.sql": "{% macro _Odd() %}2{% endmacro %}"},
    "its constraint": {
        "models/odd.yml": "models: [{name: odd, constraints: [{type: check, "
        "expression: one < 9}]}]",
    },
    "a variable behind a space": {
        "models/odd.sql": "select {{ var ('min_tagged_movies') }} as one"
    },
}
REFUSED = {
    "environment variable": ("models/odd.sql", "select {{ env_var('HOME') }} as one"),
    "larger than 1 MiB": ("seeds/odd.csv", "one\n" + "1\n" * 600_000),
    "which was not found": (
        "tests/data_tests/odd.sql",
        "select * from {{ ref('nobody') }}",
    ),
    "aside cannot be published as other.aside": (
        "models/marts/aside.sql",
        "{{ config(schema='other', contract={'enforced': false}) }} select 1 as one",
    ),
    "not named publication, publications, published_tables": (
        "models/marts/other.sql",
        "{{ config(alias='Publications', contract={'enforced': false}) }} "
        "select 1 as one",
    ),
}


@pytest.mark.nightly
def test_no_rule_is_overlooked(small: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        tree = EditedTree(tmp_path, patch, small)
        seen = []

        def look() -> None:
            seen.append(read_tree(unbuilt()).nodes["model.reelhouse.odd"].rules)
            assert len({*seen}) == len(seen)

        for files in OVERLOOKED.values():
            for name, text in files.items():
                tree.write(name, text)
            look()
        limit = "min_tagged_movies: 5"
        tree.replace("dbt_project.yml", f"{limit}0", f"{limit}1")
        look()
        for words, (name, text) in REFUSED.items():
            tree.write(name, text)
            with pytest.raises(ReelhouseError, match=words):
                read_tree(unbuilt())
            tree.take_back(name)
            assert read_tree(unbuilt())
        tree.read_again()


# What shapes tables besides the rules that dbt shows to a macro: these files, and the
# settings of dbt_project.yml that belong to no node. The variable `environment` is a
# hash of them, so that a change makes everything out of date.
UNCOVERED = ("locks/run.txt", "profiles.yml")
COVERED_SETTINGS = (
    *("models", "seeds", "snapshots", "vars"),
    *("on-run-end", "on-run-start"),
)


def test_the_environment_is_a_hash_of_what_the_ledger_does_not_see() -> None:
    found = hashlib.sha256()
    for name in UNCOVERED:
        found.update((PROJECT / name).read_bytes())
    declared = yaml.safe_load((PROJECT / "dbt_project.yml").read_text("utf-8"))
    others = {key: declared[key] for key in declared if key not in COVERED_SETTINGS}
    found.update(json.dumps(others, sort_keys=True).encode())
    wanted = found.hexdigest()[:12]
    assert declared["vars"]["environment"] == wanted, (
        f"set the variable environment in dbt_project.yml to '{wanted}'"
    )
