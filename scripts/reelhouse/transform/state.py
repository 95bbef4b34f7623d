"""State: what each table and test was last built from, compared with the tree.

dbt keeps the ledger, state.nodes: macros/state writes a row for each node that it
built, with a hash of all rules between the raw tables and the node, and with the loads
behind it. This module compares these rows with the tree and with the raw tables.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from reelhouse.contract import entities, ledger_tables
from reelhouse.engines.engine import engine_of
from reelhouse.engines.warehouse import Ask, shapes_in
from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings, project, variables
from reelhouse.transform.build import describe, parse_folder

# All files that dbt reads; the versions of PACKAGES affect what it makes of them.
TREE = (
    "dbt_project.yml",
    "profiles.yml",
    "macros/**/*",
    "models/**/*",
    "seeds/**/*",
    "snapshots/**/*",
    "tests/data_tests/**/*",
)
PACKAGES = ("dbt-core", "dbt-adapters", "dbt-duckdb", "dbt-snowflake", "duckdb")
REASONS = {
    "code": "its code changed",
    "macros": "a macro that it uses changed",
    "variables": "a variable that it reads changed",
    "versions": "dbt, the engine or the environment changed",
    "docs": "its description changed",
}
NOT_BUILT = "not built yet"
UNFINISHED = "its last build did not finish, or was partial"
UNLIKE = "its table is missing, or differs from what was built"
OTHER_LEDGER = "the ledger was written by another version of Reelhouse"
OTHER_RULES = "its rules changed"
PASSED_ON = "what it reads changed"
NEW_LOAD = "a new load"
NEW_DATA = "new data in"
OTHER_CONTRACT = "the next load checks its files again, since its declaration changed"
NO_RECORD = "there is no record of its build"
SHOWN = 3
# How many trees are cached, so that an edit that is undone needs no new parse.
REMEMBERED = 4


@dataclass(frozen=True)
class Node:
    """A model, snapshot, seed or data test, and what the tree would build it from.

    `own` and `rules` are as in the ledger, `data` names the raw tables and snapshots
    behind it, `published` has, for a mart, the columns that comparisons ignore and the
    key columns.
    """

    name: str
    kind: str
    materialized: str
    relation: str
    parents: tuple[str, ...]
    own: str
    docs: str
    rules: str
    data: tuple[str, ...]
    published: dict[str, list[str]] | None = None

    @property
    def has_rows(self) -> bool:
        return self.materialized in {"table", "incremental", "snapshot", "seed"}


@dataclass(frozen=True)
class Tree:
    """The nodes of a tree by unique id, and queries for the state of a warehouse.

    The first query returns each raw table's version, the second each relation's
    columns. `ledger_columns` are the columns of state.nodes.
    """

    nodes: dict[str, Node]
    source_versions_sql: str
    relation_shapes_sql: str
    ledger_columns: tuple[str, ...]

    @property
    def lasting(self) -> dict[str, str]:
        """The tables that a build adds to instead of replacing them, by unique id."""
        return {
            unique_id: node.relation
            for unique_id, node in self.nodes.items()
            if node.materialized in {"incremental", "snapshot"}
        }


@dataclass(frozen=True)
class Row:
    """A node's row in the ledger."""

    own: str
    docs: str
    rules: str
    data: dict[str, str]
    is_whole: bool


@dataclass(frozen=True)
class State:
    """The nodes that are out of date, with the reasons and the data behind them."""

    tree: Tree
    rows: dict[str, Row]
    stale: dict[str, str]
    data: dict[str, dict[str, str | None]]
    load_id: int

    @property
    def total(self) -> int:
        """How many nodes can be out of date."""
        nodes = self.tree.nodes.values()
        return sum(node.materialized != "ephemeral" for node in nodes)

    @property
    def to_build(self) -> list[str]:
        """Unique ids of nodes to build and test: tests follow their tables."""
        made = {each for each in self.stale if self.tree.nodes[each].has_rows}
        return [
            unique_id
            for unique_id, node in self.tree.nodes.items()
            if unique_id in self.stale
            or (node.kind == "test" and made.intersection(node.parents))
        ]

    @property
    def for_history(self) -> list[str]:
        """Of `to_build`, snapshots with all that they read, and tests of only that."""
        nodes, found = self.tree.nodes, set()
        left = [each for each in nodes if nodes[each].kind == "snapshot"]
        while left:
            each = left.pop()
            if each in nodes and each not in found:
                found.add(each)
                left += nodes[each].parents
        return [
            each
            for each in self.to_build
            if each in found
            or (nodes[each].kind == "test" and found.issuperset(nodes[each].parents))
        ]

    @property
    def changed_models(self) -> list[str]:
        """Unique ids of models that are not built, or whose own rules changed."""
        return [
            unique_id
            for unique_id, node in self.tree.nodes.items()
            if node.kind == "model"
            and unique_id in self.stale
            and (unique_id not in self.rows or self.rows[unique_id].own != node.own)
        ]

    @property
    def causes(self) -> list[str]:
        """Why nodes are out of date, with the most frequent reason first.

        Nodes that only read something changed are left out if there are other reasons.
        """
        names: dict[str, list[str]] = {}
        for unique_id, reason in self.stale.items():
            name = self.tree.nodes[unique_id].name
            names.setdefault(reason, []).append(name)
        for passed_on in (PASSED_ON, NEW_LOAD):
            if len(names) > 1:
                names.pop(passed_on, None)
        most_first = sorted(names.items(), key=lambda item: -len(item[1]))
        return [
            reason
            if reason in {NOT_BUILT, NO_RECORD, NEW_LOAD} or reason.startswith(NEW_DATA)
            else f"{', '.join(who) if len(who) <= SHOWN else f'{len(who)} nodes'}: "
            f"{reason}"
            for reason, who in most_first
        ]

    def made_whole(self, before: State) -> dict[str, str]:
        """Incremental models that were rebuilt from scratch since: reason by name."""
        return {
            self.tree.nodes[unique_id].name: reason
            for unique_id, reason in before.stale.items()
            if self.tree.nodes[unique_id].materialized == "incremental"
            and reason != NOT_BUILT
            and unique_id in self.rows
            and self.rows[unique_id].is_whole
        }


def read_tree(settings: Settings) -> Tree:
    """The tree as dbt sees it, cached for the last few versions of its files.

    Raises ReelhouseError if dbt cannot parse it.
    """
    path = parse_folder(settings) / "trees.json"
    key = _key(settings)
    known: dict[str, Any] = {}
    with suppress(OSError, ValueError, TypeError):
        known = dict(json.loads(path.read_text(encoding="utf-8")))
    with suppress(AttributeError, KeyError, TypeError):
        return _tree(known[key])
    found = json.loads(describe(settings))
    # If a file was edited meanwhile, the tree is read again next time.
    if _key(settings) == key:
        last = dict([*known.items()][1 - REMEMBERED :])
        try:
            path.write_text(json.dumps(last | {key: found}), encoding="utf-8")
        except OSError:
            with suppress(OSError):
                path.unlink(missing_ok=True)
    return _tree(found)


def _tree(found: dict[str, Any]) -> Tree:
    nodes = {}
    for unique_id, node in found["nodes"].items():
        for key in ("parents", "data"):
            node[key] = tuple(node[key])
        nodes[unique_id] = Node(**node)
    return Tree(
        nodes,
        found["source_versions_sql"],
        found["relation_shapes_sql"],
        tuple(found["ledger_columns"]),
    )


def _key(settings: Settings) -> str:
    """A hash of all that `read_tree` depends on."""
    root = project()
    found = hashlib.sha256()
    found.update(f"{settings.target} {variables().get('SNOWFLAKE_DATABASE')}".encode())
    for package in PACKAGES:
        # The adapter for Snowflake may be missing.
        with suppress(PackageNotFoundError):
            found.update(f" {package} {version(package)}".encode())
    for path in sorted({path for each in TREE for path in root.glob(each)}):
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            found.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
    return found.hexdigest()


def state_of(settings: Settings) -> State:
    """What is out of date in a target's warehouse; changes nothing.

    This includes nodes that read files which the next load judges by another contract.
    Raises ReelhouseError if there is no warehouse, or if nothing is loaded.
    """
    tree = read_tree(settings)
    with engine_of(settings).asking(settings) as ask:
        state = compare(tree, ask)
        # Every load looks at refused objects again.
        judged = ask(
            "select distinct entity, contract from raw.objects "
            "where refused_sha256 is null"
        )
    changed = {
        f"raw.{name}"
        for name, contract in judged
        if name in entities() and contract != entities()[name].contract
    }
    for unique_id, node in tree.nodes.items():
        if node.materialized != "ephemeral" and changed.intersection(node.data):
            state.stale[unique_id] = OTHER_CONTRACT
    return state


def compare(tree: Tree, ask: Ask) -> State:
    """What is out of date in the warehouse that `ask` queries."""
    raw = shapes_in(ask, "raw")
    if "load_objects" not in raw:
        raise ReelhouseError(
            "Nothing is loaded yet, so nothing can be up to date: run `reelhouse run`."
        )
    if "load_key" not in {name for name, *_ in raw["loads"][1]}:
        raise ReelhouseError(
            "The raw tables are from an older version of Reelhouse: `reelhouse run` "
            "updates them."
        )
    rows, distrusted = _rows(tree, ask)
    sources: dict[str, str | None] = dict(ask(tree.source_versions_sql))
    stale: dict[str, str] = {}
    data: dict[str, dict[str, str | None]] = {}
    # Snapshots come first: the nodes that read one depend on what it recorded.
    snapshots_first = sorted(
        tree.nodes.items(),
        key=lambda item: (item[1].materialized != "snapshot", len(item[1].data)),
    )
    for unique_id, node in snapshots_first:
        row = rows.get(unique_id)
        if node.materialized == "snapshot":
            sources[node.relation] = row.data.get(node.relation) if row else None
        data[unique_id] = {name: sources.get(name) for name in node.data}
        reason = (
            _reason(node, row, data[unique_id])
            if row
            else distrusted.get(unique_id, NOT_BUILT)
        )
        if reason and node.materialized != "ephemeral":
            stale[unique_id] = reason
            if node.materialized == "snapshot":
                sources[node.relation] = None
    ((load_id,),) = ask("select coalesce(max(load_id), 0) from raw.loads")
    return State(tree, rows, stale, data, int(load_id))


def _reason(node: Node, row: Row, data: dict[str, str | None]) -> str | None:
    """Why a node is out of date; None if it is not."""
    if row.own != node.own:
        before, now = json.loads(row.own), json.loads(node.own)
        differing = (part for part in REASONS if before.get(part) != now.get(part))
        return next(map(REASONS.__getitem__, differing), OTHER_RULES)
    if row.docs != node.docs:
        return REASONS["docs"]
    if node.materialized != "view" and row.data != data:
        changed = {name for name, seen in data.items() if row.data.get(name) != seen}
        own = {f"raw.{table.name}" for table in ledger_tables()}
        files = sorted(name for name in changed - own if name.startswith("raw."))
        if files:
            return f"{NEW_DATA} {files[0].removeprefix('raw.')}"
        return NEW_LOAD if changed & own else PASSED_ON
    return PASSED_ON if row.rules != node.rules else None


def _rows(tree: Tree, ask: Ask) -> tuple[dict[str, Row], dict[str, str]]:
    """The ledger's trusted rows, and why others are not trusted."""
    relations: dict[str, str] = dict(ask(tree.relation_shapes_sql))
    found: dict[str, Row] = {}
    counts = {}
    _, described = shapes_in(ask, "state").get("nodes", ("", []))
    columns = tuple(name for name, *_ in described)
    if columns != tree.ledger_columns:
        reason = OTHER_LEDGER if columns else NO_RECORD
        return found, dict.fromkeys(tree.nodes, reason) if relations else {}
    why = {
        unique_id: UNFINISHED
        for unique_id, node in tree.nodes.items()
        if node.relation in relations
    }
    for unique_id, own, docs, rules, data, is_whole, shape, count in ask(
        "select node, own, docs, rules, data, is_whole, shape, row_count "
        "from state.nodes where result <> 'running'"
    ):
        node = tree.nodes.get(unique_id)
        if node and shape == relations.get(node.relation):
            found[unique_id] = Row(own, docs, rules, json.loads(data), is_whole)
            if count is not None:
                counts[node.relation] = (unique_id, count)
        else:
            why[unique_id] = UNLIKE
    if counts:
        counting = " union all ".join(
            f"select '{relation}', count(*) from {relation}" for relation in counts
        )
        for relation, count in ask(counting):
            unique_id, expected = counts[relation]
            if count != expected:
                del found[unique_id]
                why[unique_id] = UNLIKE
    return found, why
