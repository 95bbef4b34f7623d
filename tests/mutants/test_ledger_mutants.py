"""Mutants of the ledger: a small check notices each broken rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.delivery import UNTESTED, csv
from tests.project import PROJECT
from tests.story import EDITS, TAGS, Story, begun, cut, first, small, stale

from reelhouse import run
from reelhouse.errors import ReelhouseError
from reelhouse.serving import publish as gate
from reelhouse.transform import state

__all__ = ["begun", "first", "small"]

STATE = "scripts/reelhouse/transform/state.py"
GATE = "scripts/reelhouse/serving/publish.py"
# The module behind each file, and the function that a mutant replaces.
MODULES = {STATE: (state, "compare"), GATE: (gate, "build_of")}
MACROS = {
    "white space, which titles reach through trim_white": (
        "macros/text/white_space.sql",
        "chr(9) ||",
        "chr(9) || chr(9) ||",
    ),
    "a macro that stands for one of dbt's": (
        "macros/history/snapshot_get_time.sql",
        "max(loaded_at) as moment",
        "max( loaded_at ) as moment",
    ),
}


def reaches(kind: str, *names: str, but: str = "") -> Callable[[Story], None]:
    """Return a check that an edit changes the rules of `names`, but not of `but`."""

    def check(story: Story) -> None:
        before = state.read_tree(story.desk.settings).nodes
        story.tree.replace(*(EDITS | MACROS)[kind])
        after = state.read_tree(story.desk.settings).nodes
        changed = {
            node.name
            for each, node in after.items()
            if node.rules != before[each].rules
        }
        assert {*names} <= changed
        assert but not in changed

    return check


def tells_of_descriptions(story: Story) -> None:
    story.edit("a description")
    assert stale(story) == {"fct_tags": state.REASONS["docs"]}


def forgets_what_failed(story: Story) -> None:
    name, old, _ = EDITS["a formula"]
    story.tree.replace(name, old, old.replace("rating,", "error('no') as rating,"))
    assert story.desk.build("--select", "fct_ratings", *UNTESTED).failures
    story.tree.take_back()
    assert stale(story).get("fct_ratings") == state.UNFINISHED


def makes_whole(story: Story) -> None:
    assert not story.desk.build("--select", "fct_ratings", *UNTESTED).failures
    assert story.desk.rows(
        "select is_whole from state.nodes where node like 'model.%.fct_ratings'"
    ) == [(True,)]


def makes_whole_after_an_edit(story: Story) -> None:
    story.edit("a formula")
    makes_whole(story)


def makes_whole_when_a_load_is_lost(story: Story) -> None:
    cut(story, "update raw.loads set load_key = 'another'")
    makes_whole(story)


def makes_whole_when_rows_are_gone(story: Story) -> None:
    cut(story, "delete from marts.fct_ratings where user_id = 1")
    makes_whole(story)


def goes_on_after_a_load(story: Story) -> None:
    story.deliver({"ratings/new.csv": csv("ratings", ["20,4,2.5,1300000002"])})
    story.desk.load()
    with pytest.raises(AssertionError):
        makes_whole(story)


def misses(statement: str, reason: str) -> Callable[[Story], None]:
    """Return a check that a change outside of dbt is noticed."""

    def check(story: Story) -> None:
        cut(story, statement)
        assert stale(story).get("fct_tags") == reason

    return check


def tells_of_new_data(story: Story) -> None:
    story.deliver({"tags.csv": csv("tags", [*TAGS, "3,3,new,1100000002"])})
    story.desk.load()
    assert stale(story).get("fct_tags") == "new data in tags"


def asks_for_tests(story: Story) -> None:
    cut(story, "delete from state.nodes where node like 'test.%sound%'")
    with pytest.raises(ReelhouseError, match="assert_history_is_sound"):
        gate.publish(story.desk.settings)


SOUND = "assert_history_is_sound"
CHECKS: dict[str, Callable[[Story], None]] = {
    "a macro": reaches("a macro", "stg_movielens__ratings", "fct_ratings"),
    "a macro behind another": reaches(
        "white space, which titles reach through trim_white",
        *("int_movies_deduplicated", "dim_movies", SOUND),
        but="stg_movielens__ratings",
    ),
    "a macro for dbt": reaches(
        "a macro that stands for one of dbt's", "fct_tags", "genres", SOUND
    ),
    "a variable": reaches("a variable", "stg_movielens__ratings", "fct_ratings"),
    "a parent": reaches("a view", "fct_ratings", but="dim_genres"),
    "a test": reaches("history's input", SOUND, but="fct_ratings"),
    "a seed": reaches("a seed", "recommendation_categories", but="fct_ratings"),
    "a description": tells_of_descriptions,
    "a failure": forgets_what_failed,
    "an edit": makes_whole_after_an_edit,
    "a lost load": makes_whole_when_a_load_is_lost,
    "lost rows": makes_whole_when_rows_are_gone,
    "a load": goes_on_after_a_load,
    "rows": misses("delete from marts.fct_tags", state.UNLIKE),
    "columns": misses("alter table marts.fct_tags add column more int", state.UNLIKE),
    "new data": tells_of_new_data,
    "tests": asks_for_tests,
}


class Mutant(NamedTuple):
    """A text replacement in a file, and the check that notices it."""

    file: str
    before: str
    after: str
    check: str


MUTANTS = {
    "forget a macro that is reached through another": Mutant(
        "macros/state/macros_reached.sql",
        "{%- for each in modules.re.findall(word, texts[name])\n",
        "{%- for each in modules.re.findall(word, '')\n",
        "a macro behind another",
    ),
    "forget macros": Mutant(
        "macros/state/nodes_of_tree.sql",
        "'macros': macros.hash,",
        "'macros': '',",
        "a macro",
    ),
    "forget what dbt calls itself": Mutant(
        "macros/state/nodes_of_tree.sql",
        "{%- do called_by_dbt.append(name) -%}",
        "",
        "a macro for dbt",
    ),
    "forget variables of macros": Mutant(
        "macros/state/nodes_of_tree.sql",
        "{%- do variables.update(macros.variables) -%}",
        "",
        "a variable",
    ),
    "forget the parents' rules": Mutant(
        "macros/state/resolve_version.sql",
        "{%- do rules.append(versions[parent].rules) -%}",
        "",
        "a parent",
    ),
    "forget a test's inputs": Mutant(
        "macros/state/nodes_of_tree.sql",
        "node.depends_on.get('nodes', [])",
        "(node.depends_on.get('nodes', []) if node.resource_type != 'test' else [])",
        "a test",
    ),
    "ignore the bytes of seeds": Mutant(
        "macros/state/nodes_of_tree.sql",
        "node.checksum.checksum if node.resource_type == 'seed' else none",
        "none",
        "a seed",
    ),
    "ignore descriptions in the tree": Mutant(
        "macros/state/nodes_of_tree.sql",
        "node.description\n                ~ ",
        "",
        "a description",
    ),
    "leave rows at the start": Mutant(
        "macros/state/open_rows.sql", "'delete from '", "'select 1 from '", "a failure"
    ),
    "close the rows of what failed": Mutant(
        "macros/state/end_build.sql", "['success',", "['error', 'success',", "a failure"
    ),
    "never make whole": Mutant(
        "macros/state/is_made_whole.sql",
        "row.rules != version.rules",
        "false",
        "an edit",
    ),
    "always make whole": Mutant(
        "macros/state/is_made_whole.sql",
        "{{- return(false) -}}",
        "{{- return(true) -}}",
        "a load",
    ),
    "ignore lost loads": Mutant(
        "macros/state/is_made_whole.sql",
        "or seen.split('/')[0] not in keys",
        "",
        "a lost load",
    ),
    "trust row counts": Mutant(
        "macros/state/trusted_rows.sql",
        "or row.row_count | int == counts[tree[unique_id].relation]",
        "or true",
        "lost rows",
    ),
    "ignore descriptions": Mutant(
        STATE, "row.docs != node.docs", "False", "a description"
    ),
    "ignore rows": Mutant(STATE, "count != expected", "False", "rows"),
    "ignore columns": Mutant(
        STATE, "if node and shape == relations.get(node.relation)", "if node", "columns"
    ),
    "ignore new data": Mutant(STATE, "row.data != data", "False", "new data"),
    "ignore tests": Mutant(
        GATE, 'if node.kind == "test" and read', "if not read", "tests"
    ),
}


def break_rule(story: Story, mutant: Mutant, patch: pytest.MonkeyPatch) -> None:
    if mutant.file not in MODULES:
        story.tree.replace(*mutant[:3])
        return
    module, name = MODULES[mutant.file]
    text = Path(PROJECT / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.before) == 1
    broken = dict(vars(module))
    exec(text.replace(mutant.before, mutant.after), broken)
    for each in (module, run):
        patch.setattr(each, name, broken[name])


@pytest.mark.nightly
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_ledger_passes_each_check(
    begun: Story, check: Callable[[Story], None]
) -> None:
    check(begun)


def test_every_mutant_and_edit_fits_the_tree() -> None:
    """Find outdated mutants and edits now, not first in the nightly run."""
    replaced = [*MUTANTS.values(), *EDITS.values(), *MACROS.values()]
    texts = {name: (PROJECT / name).read_text("utf-8") for name, *_ in replaced}
    assert [each for each in replaced if texts[each[0]].count(each[1]) != 1] == []


@pytest.mark.nightly
@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_check_notices_each_mutant(
    begun: Story, mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_rule(begun, mutant, monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        CHECKS[mutant.check](begun)
