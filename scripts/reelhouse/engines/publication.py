"""Publication: what to publish, and which parts of it are already there.

Only differences are written, to a copy of the published file or, in an account, to the
schema that was published before the current one. This module decides for both engines
what these differences are.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import Any

from reelhouse.engines.view_sql import Dialect, View, published_view
from reelhouse.engines.warehouse import Ask, Shapes, shapes_in

# Columns of `published_tables`, which tell a later publish what exists.
LAYOUT = ("name", "kind", "row_count", "ignored_columns", "key_columns", "version")
# Columns of `publications`, the history of publications, and how many are kept.
RUN = ("version", "published_at", "load_id", "load_seconds", "build_seconds", "seconds")
KEPT_RUNS = 1_000


@dataclass(frozen=True)
class Publication:
    """A publication: its id, its load, and its numbers of relations and of rows."""

    version: str
    load_id: int
    tables: int
    rows: int


@dataclass(frozen=True)
class Build:
    """What may be published: its load, numbers of tests and models, and relations.

    `seconds` is how long each step of the run took, `started` when the run began, by
    `time.monotonic`; without a run, it is when publishing began. `up_to_date` adds to
    `gone` what is published and not part of the build.
    """

    load_id: int
    tests: int
    models: int
    relations: list[Relation]
    seconds: Mapping[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    gone: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Relation:
    """A model to be published: a table or view in the marts, with names in lower case.

    `version` identifies the rules and loads that it was made from. Comparisons skip
    `ignored_columns`; `key_columns` is empty if no test names a key.
    """

    name: str
    kind: str
    version: str
    ignored_columns: tuple[str, ...]
    key_columns: tuple[str, ...]


@dataclass(frozen=True)
class Piece:
    """A relation as it is published: as a view, or with its rows if `view` is None."""

    relation: Relation
    view: View | None

    @property
    def name(self) -> str:
        return self.relation.name

    @property
    def kind(self) -> str:
        return "view" if self.view else "table"


def pieces_of(
    build: Build,
    texts: Mapping[str, str | None],
    dialect: Dialect,
    database: str,
    schema: str = "",
) -> list[Piece]:
    """Decide how each relation is published; each comes after those that it reads.

    `texts` are the views of the marts in `database`. A view stays a view if all that it
    reads is published too, in `schema`; otherwise its rows are published.
    """
    names = {relation.name for relation in build.relations}
    pieces: dict[str, Piece] = {}
    for relation in build.relations:
        view = None
        if text := texts.get(relation.name):
            view = published_view(relation.name, text, dialect, database, schema)
            if view.outside or not view.reads <= names:
                view = None
        pieces[relation.name] = Piece(relation, view)
    reads = {
        name: piece.view.reads if piece.view else () for name, piece in pieces.items()
    }
    return [pieces[name] for name in TopologicalSorter(reads).static_order()]


def staying(
    ask: Ask,
    schema: str,
    pieces: list[Piece],
    built: Shapes,
    counted: Callable[[Collection[str]], Mapping[str, int]],
) -> dict[str, int]:
    """The pieces that a schema already holds unchanged, with their numbers of rows.

    A table stays if `published_tables` lists it with this kind and version, and it
    exists with the columns of `built` and the listed number of rows, as `counted` says.
    A view stays if its version and columns match and all that it reads stays.
    """
    there = shapes_in(ask, schema)
    if not _has_layout(there):
        return {}
    said = {
        name: (kind, version, rows)
        for name, kind, version, rows in ask(
            f"select name, kind, version, row_count from {schema}.published_tables"
        )
    }
    alike = [
        piece
        for piece in pieces
        if said.get(piece.name, ())[:2] == (piece.kind, piece.relation.version)
        and piece.name in there
        and there[piece.name] == (piece.kind, built[piece.name][1])
    ]
    rows = counted([piece.name for piece in alike if not piece.view])
    stays: dict[str, int] = {}
    for piece in alike:
        count = said[piece.name][2]
        if piece.view:
            is_same = piece.view.reads <= stays.keys()
        else:
            is_same = rows[piece.name] == count
        if is_same:
            stays[piece.name] = count
    return stays


def _has_layout(there: Shapes) -> bool:
    return (
        "publication" in there
        and _columns(there, "published_tables") == {*LAYOUT}
        and _columns(there, "publications") == {*RUN}
    )


def _columns(there: Shapes, name: str) -> set[str]:
    return {column for column, *_ in there.get(name, ("", []))[1]}


def earlier(published: Ask) -> list[tuple[Any, ...]]:
    """The history of publications with the columns of RUN, newest first."""
    if _columns(shapes_in(published, "serving"), "publications") != {*RUN}:
        return []
    return published(
        f"select {', '.join(RUN)} from serving.publications "
        f"order by published_at desc, version limit {KEPT_RUNS - 1}"
    )


def describe(
    build: Build,
    pieces: list[Piece],
    rows: Mapping[str, int],
    earlier: Sequence[Sequence[Any]],
    literal: Callable[[object], str],
) -> tuple[Publication, dict[str, str]]:
    """Return a new publication of these pieces, with an id of its own.

    With it, return the tables that describe it, each as a select. `earlier` are the
    publications before it.
    """
    publication = Publication(
        uuid.uuid4().hex,
        build.load_id,
        len(pieces),
        sum(rows[piece.name] for piece in pieces if not piece.view),
    )
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    load, *built = (build.seconds.get(each) for each in ("load", "history", "build"))
    run = (
        *(publication.version, now, build.load_id, load),
        *(sum(filter(None, built)) or None, time.monotonic() - build.started),
    )
    types = ("varchar", "datetime", "bigint", "double", "double", "double")
    return publication, {
        "publication": f"select cast({literal(publication.version)} as varchar) "
        f"as version, cast({literal(now)} as datetime) as published_at, "
        f"cast({build.load_id} as bigint) as load_id, "
        f"cast({build.tests} as bigint) as tests, "
        f"cast({build.models} as bigint) as models",
        "publications": " union all ".join(
            "select "
            + ", ".join(
                f"cast({literal(value)} as {kind}) as {name}"
                for name, kind, value in zip(RUN, types, each, strict=True)
            )
            for each in (run, *earlier)
        ),
        "published_tables": " union all ".join(
            f"select {literal(piece.name)} as name, {literal(piece.kind)} as kind, "
            f"cast({literal(rows[piece.name])} as bigint) as row_count, "
            f"{literal(', '.join(piece.relation.ignored_columns))} as ignored_columns, "
            f"{literal(', '.join(piece.relation.key_columns))} as key_columns, "
            f"{literal(piece.relation.version)} as version"
            for piece in pieces
        ),
    }


def up_to_date(published: Ask, build: Build) -> Publication | None:
    """The current publication if publishing a build would change nothing, else None."""
    if not _has_layout(shapes_in(published, "serving")):
        return None
    known = published(
        "select name, version, ignored_columns, key_columns, kind, row_count "
        "from serving.published_tables"
    )
    wanted = {
        (
            *(relation.name, relation.version),
            *(", ".join(relation.ignored_columns), ", ".join(relation.key_columns)),
        )
        for relation in build.relations
    }
    names = {relation.name for relation in build.relations}
    build.gone.extend(sorted(row[0] for row in known if row[0] not in names))
    ((version, *about),) = published(
        "select version, load_id, tests, models from serving.publication"
    )
    if {row[:4] for row in map(tuple, known)} != wanted:
        return None
    if about != [build.load_id, build.tests, build.models]:
        return None
    rows = sum(count for *_, kind, count in known if kind == "table")
    return Publication(version, build.load_id, len(known), rows)
