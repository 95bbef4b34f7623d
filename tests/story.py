"""A small warehouse that goes through deliveries and edits, and its comparisons."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.delivery import HISTORY, Delivery, copy_warehouse, csv
from tests.kept import MAKERS, TREE, kept
from tests.tree import EditedTree, small_tree

from reelhouse.engines.duckdb.connection import connect
from reelhouse.run import RunReport
from reelhouse.s3 import S3Settings, upload
from reelhouse.serving.compare import compare
from reelhouse.transform.state import state_of

__all__ = ["begun", "first", "small", "story"]

MOVIES = [
    "1,Lantern (1994),Drama|Comedy",
    '2,"Harbour, The (1999)",Drama',
    "3,Salt (2001),Comedy",
    "4,Unseen (2003),War",
]
TAGS = ["1,1,Quiet,1100000000", "9,2, quiet ,1100000001"]
RATINGS = [
    f"{user},{movie},{(user * movie) % 10 / 2 + 0.5},{1_000_000_000 + user * 86_400}"
    for user in range(1, 9)
    for movie in range(1, 4)
]
FIRST = {
    "movies.csv": csv("movies", MOVIES),
    "links.csv": csv("links", ["1,0114709,862", "2,0113497,"]),
    "tags.csv": csv("tags", TAGS),
    "ratings.csv": csv("ratings", RATINGS),
}
RAW = "models/staging/movielens/_movielens__sources.yml"
FACTS = "models/marts/core/fct_ratings.sql"
TITLES = "models/intermediate/movies/int_movies_deduplicated.sql"
CATEGORIES = "seeds/recommendation_categories.csv"
# One edit of each kind: the file, the old text and the new text.
EDITS = {
    "a formula": (
        FACTS,
        "        rating,\n        rated_at,\n",
        "        cast(greatest(rating, 1.0) as decimal(2, 1)) as rating,\n"
        "        rated_at,\n",
    ),
    "a view": (
        "models/staging/movielens/stg_movielens__ratings.sql",
        "        rating,\n        rated_epoch,\n",
        "        cast(5.5 - rating as decimal(2, 1)) as rating,\n"
        "        rated_epoch,\n",
    ),
    "a macro": (
        "macros/cross_db/epoch_to_timestamp.sql",
        "make_timestamp(",
        "make_timestamp(86400000000 + ",
    ),
    "a variable": (
        "dbt_project.yml",
        "min_rated_at: null",
        "min_rated_at: '2001-09-12'",
    ),
    "a seed": (CATEGORIES, "fading,100", "fading,2"),
    "a contract": (RAW, "min: 0.5, max: 5,", "min: 0.5, max: 4.5,"),
    "history's input": (
        TITLES,
        "{{ trim_white('title') }} as title",
        "upper({{ trim_white('title') }}) as title",
    ),
    "a test": (
        "tests/data_tests/assert_history_is_sound.sql",
        "with ",
        "-- As it was.\nwith ",
    ),
    "a description": (
        "models/marts/core/fct_tags.yml",
        "One row per",
        "Once more: one row per",
    ),
}


@dataclass
class Story:
    """A warehouse that goes through deliveries and edits, and a record of its runs."""

    tree: EditedTree
    desk: Delivery
    bucket: dict[str, bytes] = field(default_factory=dict)
    seen: list[tuple[datetime, dict[str, bytes], dict[str, str]]] = field(
        default_factory=list
    )

    def deliver(self, files: dict[str, bytes | None]) -> None:
        """Put files into the bucket; None removes a file."""
        for name, body in files.items():
            if body is None:
                self.desk.remove(name)
                self.bucket.pop(name, None)
            else:
                self.desk.put({name: body})
                self.bucket[name] = body

    def edit(self, kind: str) -> None:
        self.tree.replace(*EDITS[kind])

    def toggle(self, kind: str) -> None:
        """Make an edit, or take it back if it was made."""
        name, _, new = EDITS[kind]
        if name not in self.tree.before:
            self.edit(kind)
        elif new in (self.tree.folder / name).read_text(encoding="utf-8"):
            self.tree.take_back(name)

    def run(self, **options: Any) -> RunReport:
        report = self.next_day().run(**options)
        self.record()
        return report

    def next_day(self) -> Delivery:
        """Advance the clock by a day and return the warehouse for the next run."""
        assert self.desk.moment
        self.desk.moment += timedelta(days=1)
        return self.desk

    def record(self) -> None:
        """Record the moment, the bucket and the edits of a successful run."""
        assert self.desk.moment
        self.seen.append((self.desk.moment, dict(self.bucket), self.tree.edits))

    def elsewhere(self, name: str) -> Delivery:
        """Return another warehouse of the same bucket."""
        folder = self.desk.warehouse.with_name(f"{name}-{len(self.seen)}")
        return replace(self.desk, warehouse=folder, looking=None)

    def differing(self, other: Delivery) -> dict[str, Any]:
        """Return the tables that differ in another warehouse, by name."""
        files = (self.desk.settings.published, other.settings.published)
        tables = compare(*files).tables
        found: dict[str, Any] = {
            each.name: each for each in tables if not each.is_equal
        }
        # A comparison ignores the timestamps of history tables, so compare them here.
        for name in HISTORY - {"health_loads"}:
            question = f"select * from serving.{name} order by all"
            if ask(self.desk, question) != ask(other, question):
                found.setdefault(name, None)
        return found

    def assert_fresh(self, fresh: Delivery | None = None) -> None:
        """Check that state tables equal those of a new warehouse."""
        if fresh is None:
            fresh = self.elsewhere("fresh")
            fresh.run()
        differing = self.differing(fresh)
        assert differing.keys() <= {*HISTORY, "dim_movies"}, differing
        if "dim_movies" in differing:
            # Previous titles and deleted movies are history; a new one has none.
            assert movies(self.desk) == movies(fresh)

    def assert_replayed(self) -> None:
        """Check that history equals a replay of only the successful runs."""
        other = replace(self.elsewhere("replay"), folder="replay")
        edits = self.tree.edits
        names: set[str] = set()
        for moment, files, changed in self.seen:
            other.remove(*(names - files.keys()))
            other.put(files)
            names = {*files}
            self.tree.take_back()
            for name, text in changed.items():
                self.tree.write(name, text)
            other.moment = moment
            other.run()
        assert edits == self.tree.edits
        differing = self.differing(other)
        # A load counts even if its build failed.
        assert differing.keys() <= {"health_loads"}, differing


def movies(desk: Delivery) -> list[tuple[Any, ...]]:
    with connect(desk.settings.published, read_only=True) as connection:
        return connection.execute(
            "select * exclude (previous_title, first_loaded_at) "
            "from serving.dim_movies where not is_deleted and not is_inferred "
            "order by all"
        ).fetchall()


@pytest.fixture(scope="session")
def small() -> Path:
    return small_tree()


@contextmanager
def told(s3: S3Settings, small: Path, folder: Path, bucket: str) -> Iterator[Story]:
    """Yield a story with an edited tree and an empty warehouse in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        tree = EditedTree(folder, patch, small)
        moment = datetime(2026, 1, 1)
        story = Story(tree, Delivery(s3, bucket, folder / "main", moment=moment))
        yield story
        story.desk.close()
        tree.read_again()


@pytest.fixture
def story(
    s3_server: S3Settings, small: Path, tmp_path: Path, bucket: str
) -> Iterator[Story]:
    with told(s3_server, small, tmp_path, bucket) as story:
        yield story


@pytest.fixture(scope="session")
def first(
    s3_server: S3Settings, small: Path, tmp_path_factory: pytest.TempPathFactory
) -> Story:
    """Run the first delivery once for all tests: a warehouse belongs to its bucket."""
    folder = tmp_path_factory.mktemp("first")
    upload(s3_server, [], "s3://first")
    with told(s3_server, small, folder, "first") as story:
        story.deliver(dict(FIRST))
        desk = story.next_day()

        def make(warehouse: Path) -> None:
            replace(desk, warehouse=warehouse).run()

        places = (*TREE, *MAKERS, "tests/story.py")
        made = kept("first", places, make)
        copy_warehouse(made, desk.warehouse, desk.settings.source_name)
        story.record()
    return story


@pytest.fixture
def begun(
    s3_server: S3Settings, small: Path, tmp_path: Path, first: Story
) -> Iterator[Story]:
    """A story after its first run, with its own copy of the warehouse."""
    desk = first.desk
    objects = desk.client.list_objects_v2(Bucket=desk.bucket).get("Contents", [])
    desk.remove(*(each["Key"].partition("/")[2] for each in objects))
    shutil.copytree(desk.warehouse, tmp_path / "main")
    with told(s3_server, small, tmp_path, desk.bucket) as story:
        story.deliver(dict(FIRST))
        story.desk.moment = desk.moment
        story.seen += first.seen
        yield story


def ask(desk: Delivery, question: str) -> list[tuple[Any, ...]]:
    with connect(desk.settings.published, read_only=True) as connection:
        return connection.execute(question).fetchall()


def stale(story: Story) -> dict[str, str]:
    """Return why each node is out of date, by name."""
    story.desk.close()
    state = state_of(story.desk.settings)
    return {state.tree.nodes[each].name: why for each, why in state.stale.items()}


def cut(story: Story, *statements: str) -> None:
    """Change the warehouse outside of a load or build."""
    story.desk.close()
    with closing(duckdb.connect(str(story.desk.settings.database))) as connection:
        for statement in statements:
            connection.execute(statement)


SNAPSHOTS = ("snap_movies", "snap_recommendations", "snap_tags")


def snapshots(ask: Callable[[str], list[tuple[Any, ...]]]) -> dict[str, Any]:
    """Return every snapshot's rows without dbt_updated_at, which dbt's clock sets."""
    told = {}
    for name in SNAPSHOTS:
        columns = ", ".join(
            column
            for (column,) in ask(
                "select lower(column_name) from information_schema.columns "
                f"where lower(table_name) = '{name}' order by ordinal_position"
            )
            if column != "dbt_updated_at"
        )
        rows = ask(f"select {columns} from snapshots.{name}")
        told[name] = (columns, sorted(map(tuple, rows), key=repr))
    return told
