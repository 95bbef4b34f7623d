"""Publish: only what is up to date and has passed every test."""

from __future__ import annotations

import hashlib
import json

from reelhouse.engines.engine import engine_of
from reelhouse.engines.publication import Build, Publication, Relation
from reelhouse.errors import ReelhouseError
from reelhouse.locking import writing
from reelhouse.settings import Settings
from reelhouse.transform.state import OTHER_CONTRACT, Node, State, state_of

# How many nodes a refusal names.
SHOWN = 3


def publish(settings: Settings) -> Publication:
    """Publish what is built, if all of it is up to date and has passed its tests.

    Raises ReelhouseError otherwise.
    """
    with writing(settings.warehouse):
        build = build_of(state_of(settings))
        return engine_of(settings).publish(settings, build)


def build_of(state: State) -> Build:
    """What to publish, if all of it is up to date and has passed its tests.

    Snapshots have to be up to date too, or history would lack changes of a load. Raises
    ReelhouseError that names what is out of date, and the command that fixes it.
    """
    nodes = state.tree.nodes
    made = {
        unique_id
        for unique_id, node in nodes.items()
        if node.published or node.kind == "snapshot"
    }
    read = set(made)
    queue = list(made)
    for unique_id in queue:
        new = [each for each in nodes[unique_id].parents if each in nodes]
        queue += [each for each in new if each not in read]
        read.update(new)
    tests = {
        unique_id
        for unique_id, node in nodes.items()
        if node.kind == "test" and read.intersection(node.parents)
    }
    wanted = made | tests
    if wanted.intersection(state.stale):
        raise ReelhouseError(_refusal(state, wanted, read | tests))
    relations = [
        Relation(
            name=node.relation.partition(".")[2],
            kind="view" if node.materialized == "view" else "table",
            ignored_columns=tuple(node.published["ignored_columns"]),
            key_columns=tuple(node.published["key_columns"]),
            version=_version(node, state.data[unique_id]),
        )
        for unique_id, node in nodes.items()
        if node.published
    ]
    relations.sort(key=lambda each: each.kind)
    built = [nodes[each] for each in read if nodes[each].materialized != "ephemeral"]
    models = sum(node.kind == "model" for node in built)
    return Build(state.load_id, len(tests), models, relations)


def _version(node: Node, data: dict[str, str | None]) -> str:
    known = [node.rules, node.docs, node.published, sorted(data.items())]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32]


def _refusal(state: State, wanted: set[str], read: set[str]) -> str:
    """Return what prevents publishing the wanted nodes, and the command that helps."""
    nodes = state.tree.nodes
    lacking = [each for each in nodes if each in state.stale and each in wanted]
    told = ", ".join(
        f"{nodes[each].name} ({state.stale[each]})" for each in lacking[:SHOWN]
    )
    if len(lacking) > SHOWN:
        told += f" and {len(lacking) - SHOWN} more"
    to_build = [nodes[each].name for each in state.to_build if each in read]
    command = "reelhouse run"
    if len(to_build) <= SHOWN and OTHER_CONTRACT not in state.stale.values():
        command = f"dbt build --select {' '.join(to_build)}"
    return (
        f"Nothing is published, because not everything is up to date and tested: "
        f"{told}. Run `{command}`, then publish again; `reelhouse status` lists all."
    )
