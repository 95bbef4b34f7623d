"""Incremental tables equal a full refresh after any rows were added or removed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.delivery import MOVIES, UNTESTED, Delivery, csv
from tests.faults import tally

from reelhouse.s3 import S3Settings, upload

# `make test` covers a part of this in test_state.py.
pytestmark = pytest.mark.long

INCREMENTAL = ("fct_ratings", "int_user_days_summed")
SELECTED = (*UNTESTED, "--select", *(f"+{name}" for name in INCREMENTAL))
TABLES = {
    "fct_ratings": "select * from marts.fct_ratings order by all",
    "int_user_days_summed": (
        "select * from intermediate.int_user_days_summed order by all"
    ),
}
DAY = 86_400
OBJECTS = ("ratings.csv", "ratings/a.csv", "ratings/b.csv")

Rating = tuple[int, int, str, int]


@dataclass(frozen=True)
class Step:
    """A delivery: the ratings of each object, or None to leave it unchanged.

    An object that is not named leaves the bucket. Without `is_built` the next delivery
    is loaded before the build.
    """

    objects: dict[str, tuple[Rating, ...] | None]
    is_built: bool = True


# Few values, so ratings often collide: late, tied, rated again or duplicate.
ratings = st.tuples(
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from(["0.5", "3.0", "5.0"]),
    st.sampled_from([0, DAY - 1, DAY, 3 * DAY]),
)
steps = st.builds(
    Step,
    st.dictionaries(
        st.sampled_from(OBJECTS),
        st.none() | st.lists(ratings, max_size=6).map(tuple),
        min_size=1,
    ),
    st.booleans(),
)
sequences = st.lists(steps, min_size=2, max_size=5)

LINES = [
    f"{user},{movie},2.0,{day * DAY}"
    for user in (1, 2, 3)
    for movie, day in ((1, 0), (2, 1))
]
A, B = (1, 1, "3.0", DAY), (1, 2, "5.0", 3 * DAY)
STORY = [
    Step({"ratings.csv": (A, B, (2, 1, "0.5", 0))}),
    # Late, tied but higher, and rated again, in a separate object.
    Step(
        {
            "ratings.csv": None,
            "ratings/a.csv": (
                (1, 1, "5.0", 0),
                (1, 2, "5.0", 3 * DAY),
                (2, 1, "3.0", DAY),
            ),
        }
    ),
    # Replaced by fewer rows; the other object is gone.
    Step({"ratings.csv": (A,)}),
    # A user's last rating is gone, and another load comes before the build.
    Step({"ratings.csv": ((3, 3, "0.5", 0),)}, is_built=False),
    Step({"ratings.csv": (A, B), "ratings/b.csv": (A,)}),
]


def expected(bucket: dict[str, tuple[Rating, ...]]) -> dict[str, Any]:
    """Compute ratings and user days from a bucket in plain Python."""
    latest: dict[tuple[int, int], tuple[int, float]] = {}
    for lines in bucket.values():
        for user, movie, rating, time in lines:
            place = (time, float(rating))
            latest[user, movie] = max(latest.get((user, movie), place), place)
    days: dict[tuple[int, int], list[float]] = defaultdict(list)
    for (user, _), (time, stars) in latest.items():
        days[user, time // DAY].append(stars)
    return {
        "ratings": sorted((*key, *value) for key, value in latest.items()),
        "days": sorted((*key, len(day), sum(day)) for key, day in days.items()),
    }


def found(delivery: Delivery) -> dict[str, Any]:
    """Return the same ratings and user days from the warehouse."""
    return {
        "ratings": delivery.rows(
            "select user_id, movie_id, cast(epoch(rated_at) as bigint), "
            "cast(rating as double) from marts.fct_ratings order by all"
        ),
        "days": delivery.rows(
            f"select user_id, cast(epoch(rated_date) as bigint) // {DAY}, "
            "rating_count, rating_tenths_sum / 10 "
            "from intermediate.int_user_days_summed order by all"
        ),
    }


def tables(delivery: Delivery) -> dict[str, list[tuple[Any, ...]]]:
    return {name: delivery.rows(sql) for name, sql in TABLES.items()}


def play(delivery: Delivery, sequence: list[Step]) -> None:
    """Deliver, load and build step by step, and check the tables after each build."""
    delivery.put({"movies.csv": csv("movies", MOVIES)})
    bucket: dict[str, tuple[Rating, ...]] = {}
    for number, step in enumerate(sequence):
        left = {
            name: bucket.get(name, ()) if lines is None else lines
            for name, lines in step.objects.items()
        }
        delivery.remove(*(bucket.keys() - left.keys()))
        delivery.put(
            {
                name: csv("ratings", (",".join(map(str, line)) for line in lines))
                for name, lines in left.items()
            }
        )
        bucket = left
        delivery.load()
        if step.is_built or number == len(sequence) - 1:
            assert not delivery.build(*SELECTED).failures
            assert found(delivery) == expected(bucket)
    grown = tables(delivery)
    assert not delivery.build(*SELECTED, "--full-refresh").failures
    refreshed = tables(delivery)
    for name, rows in refreshed.items():
        tally.rows(rows, grown[name])
    assert refreshed == grown


@pytest.fixture(scope="module")
def new(
    s3_server: S3Settings, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Delivery]:
    """A function that returns a new warehouse with a new source."""
    upload(s3_server, [], "s3://incremental-bucket")
    numbers = count()

    def delivery() -> Delivery:
        name = f"source-{next(numbers)}"
        return Delivery(
            s3_server,
            "incremental-bucket",
            tmp_path_factory.mktemp("incremental") / "warehouse",
            folder=name,
        )

    return delivery


@pytest.mark.fault("13", "14")
def test_incremental_equals_full_refresh(new: Callable[[], Delivery]) -> None:
    play(new(), STORY)


@pytest.mark.nightly
@pytest.mark.fault("13", "14")
@given(sequence=sequences)
@settings(max_examples=25, deadline=None, database=None, print_blob=True)
def test_incremental_equals_full_refresh_whatever_comes(
    new: Callable[[], Delivery], sequence: list[Step]
) -> None:
    play(new(), sequence)


def test_a_small_load_touches_what_changed_and_leaves_the_rest(
    new: Callable[[], Delivery],
) -> None:
    delivery = new().put(
        {"movies.csv": csv("movies", MOVIES), "ratings.csv": csv("ratings", LINES)}
    )
    delivery.load()
    delivery.build(*SELECTED)
    # Mark every row; a rewritten row loses its mark.
    delivery.close()
    with duckdb.connect(str(delivery.settings.database)) as connection:
        connection.execute("update marts.fct_ratings set rating = 0")
        connection.execute(
            "update intermediate.int_user_days_summed set rating_count = -1"
        )
    new_ratings = ["1,3,3.0,1000000000", "2,1,4.5,1000000000"]
    delivery.put({"ratings/new.csv": csv("ratings", new_ratings)})
    delivery.load()
    delivery.build(*SELECTED)
    assert delivery.rows(
        "select user_id, movie_id from marts.fct_ratings where rating <> 0 order by all"
    ) == [(1, 3), (2, 1)]
    assert delivery.rows(
        "select user_id, rating_count from intermediate.int_user_days_summed "
        "where rating_count <> -1 order by all"
    ) == [(1, 1), (1, 1), (1, 1), (2, 1), (2, 1)]
