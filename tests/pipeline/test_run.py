"""Runs, several deliveries long: what is published is what the bucket holds."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

import pytest
from tests.delivery import Delivery, csv

from reelhouse.compare import compare
from reelhouse.query import query
from reelhouse.s3 import S3Settings, upload

# Tables that tell the sequence of loads and not the state of the bucket.
HISTORY = {"health_loads"}

MOVIES = [
    "1,Lantern (1994),Drama|Comedy",
    '2,"Harbour, The (1999)",Drama',
    "3,Salt (2001),Comedy",
    "4,  No Year At All ,(no genres listed)",
]
LINKS = ["1,0114709,862", "2,0113497,", "77,0000077,77"]
TAGS = ["1,1,Quiet,1100000000", "9,2, quiet ,1100000001", "9,4,  ,1100000002"]
RATINGS = [
    f"{user},{movie},{(user * movie) % 10 / 2 + 0.5},{1_000_000_000 + user * 86_400}"
    for user in range(1, 13)
    for movie in range(1, 4)
]
SECOND = [
    *RATINGS[2:],  # two of user 1's ratings are gone
    "2,1,0.5,900000000",  # late: older than the one that is there
    "3,1,5.0,1000259200",  # tied with the one that is there
    "4,1,4.5,1300000000",  # rated again
    "5,99,3.0,1300000001",  # of a movie that no file has
    "20,4,2.5,1300000002",  # a new user
]

Desk = Callable[[str], Delivery]


@pytest.fixture(scope="module")
def desk(s3_server: S3Settings, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A function that gives a new warehouse over the module's bucket."""
    folder = tmp_path_factory.mktemp("run")
    upload(s3_server, [], "s3://run-bucket")
    moment = datetime(2026, 1, 1)

    def new(name: str) -> Delivery:
        return Delivery(s3_server, "run-bucket", folder / name, moment=moment)

    return new


def differing(left: Delivery, right: Delivery) -> list[str]:
    """State tables in which two warehouses differ."""
    comparison = compare(left.settings.published, right.settings.published)
    assert len(comparison.tables) > 10
    return [
        table.name
        for table in comparison.tables
        if not table.is_equal and table.name not in HISTORY
    ]


def test_loads_in_any_form_and_order_end_like_a_fresh_build(desk: Desk) -> None:
    grown = desk("grown")
    grown.put(
        {
            "movies.csv": csv("movies", MOVIES),
            "links.csv": csv("links", LINKS),
            "tags.csv": csv("tags", TAGS),
            "ratings.csv": csv("ratings", RATINGS),
        }
    )
    first = grown.run()
    assert first.loaded.load_id == 1
    assert not first.built.failures
    assert first.built.tests > 50
    assert first.loaded.missing == ["genome-scores.csv", "genome-tags.csv"]
    assert ask(grown, "select count(*) from serving.fct_genome_scores") == 0
    before = grown.settings.published.read_bytes()

    again = grown.run()
    assert again.loaded.load_id is None
    assert differing(grown, grown) == []
    unchanged = grown.warehouse / "before.duckdb"
    unchanged.write_bytes(before)
    assert compare(unchanged, grown.settings.published).is_equal

    grown.put({"ratings.csv": csv("ratings", SECOND)})
    second = grown.run()
    (entry,) = second.loaded.entries
    assert (entry.rows_new, entry.rows_removed) == (5, 2)
    assert story(grown) == {
        (1, 1): None,  # removed
        (2, 1): "1.5",  # the late one loses
        (3, 1): "5.0",  # of the tied ones the higher wins
        (4, 1): "4.5",  # the later wins
        (5, 99): "3.0",  # kept, its movie inferred
    }
    assert (
        ask(grown, "select is_inferred from serving.dim_movies where movie_id = 99")
        is True
    )
    fresh = desk("fresh")
    fresh.run()
    assert differing(grown, fresh) == []

    lines = SECOND[:]
    random.Random(7).shuffle(lines)
    grown.remove("ratings.csv")
    grown.put(
        {
            f"ratings/{part % 3}/part-{part}.csv": csv("ratings", lines[part::7])
            for part in range(7)
        }
    )
    grown.run()
    assert differing(grown, fresh) == []

    for part in range(7):
        grown.remove(f"ratings/{part % 3}/part-{part}.csv")
    grown.put({"ratings.csv": csv("ratings", RATINGS)})
    grown.run()
    assert compare_bytes(grown, before) == []


def ask(delivery: Delivery, question: str) -> object:
    """The one value that answers a question to the published tables."""
    ((value,),) = query(delivery.settings.published, question)[1]
    return value


def story(delivery: Delivery) -> dict[tuple[int, int], str | None]:
    keys = [(1, 1), (2, 1), (3, 1), (4, 1), (5, 99)]
    rows = query(
        delivery.settings.published,
        "select user_id, movie_id, rating from serving.fct_ratings",
    )[1]
    found = {(user, movie): str(rating) for user, movie, rating in rows}
    return {key: found.get(key) for key in keys}


def compare_bytes(delivery: Delivery, published: bytes) -> list[str]:
    """State tables in which a warehouse differs from an earlier published file."""
    earlier = delivery.warehouse / "earlier.duckdb"
    earlier.write_bytes(published)
    comparison = compare(earlier, delivery.settings.published)
    return [
        table.name
        for table in comparison.tables
        if not table.is_equal and table.name not in HISTORY
    ]
