"""Hold-out: how often the movies suggested to a user include one that the user liked.

`python -m tools.holdout FOLDER` hides one like (four stars or more) of every user with
five of them or more, builds a warehouse from the rest, and runs the dashboard's own
query on it. It counts how often the hidden movie is among the ten suggested, and how
often it is among the ten most liked movies that the user has not rated. It does so for
a random like, and for the latest one, which is harder to find: over time, users rate
less known movies.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

from reelhouse.dashboard.views.user import watch_next

LIKED = 4
FEWEST_LIKES = 5
HIDDEN = f"""
    select "userId" as user_id, "movieId" as movie_id
    from ratings
    where rating >= {LIKED}
    qualify
        count(*) over (partition by "userId") >= {FEWEST_LIKES}
        and row_number() over (partition by "userId" order by {{}}, "movieId") = 1
    order by user_id"""
ORDERS = {
    "drawn": """md5("userId" || ' ' || "movieId")""",
    "latest": "timestamp desc",
}
POPULAR = f"""
    select movie_id
    from serving.fct_ratings
    where rating >= {LIKED}
        and movie_id not in (
            select movie_id from serving.fct_ratings where user_id = {{}}
        )
    group by movie_id
    order by count(*) desc, movie_id
    limit 10"""


def hold_out(source: Path, folder: Path, order: str) -> list[tuple[int, int]]:
    """Write a source without the hidden likes into a folder; return the hidden likes.

    The hidden like of each user is the first in the order.
    """
    hiding = HIDDEN.format(order)
    for path in source.glob("*.csv"):
        shutil.copyfile(path, folder / path.name)
    with duckdb.connect() as connection:
        ratings = connection.read_csv(str(source / "ratings.csv"))
        ratings.create("ratings")
        hidden = connection.execute(hiding).fetchall()
        connection.execute(f"create table hidden as {hiding}")
        connection.sql(
            'select * from ratings where ("userId", "movieId") not in (from hidden)'
        ).write_csv(str(folder / "ratings.csv"))
    return hidden


def hit_rates(published: Path, hidden: list[tuple[int, int]]) -> tuple[float, float]:
    """The share of hidden likes among the ten suggested, and among the most liked."""
    suggested = popular = 0
    with duckdb.connect(str(published), read_only=True) as connection:
        for user_id, movie_id in hidden:
            rows = connection.execute(watch_next(user_id)).fetchall()
            suggested += movie_id in {row[0] for row in rows}
            rows = connection.execute(POPULAR.format(user_id)).fetchall()
            popular += movie_id in {row[0] for row in rows}
    return suggested / len(hidden), popular / len(hidden)


def main(source: Path) -> None:
    print("How often a hidden like is among the ten movies suggested:")
    for name, order in ORDERS.items():
        users, neighbours, popular = measure(source, order)
        print(f"  {name + ',':<8}{users:>6,} users: {neighbours:.3f}")
        print(f"    {popular:.3f} among the ten most liked movies")


def measure(source: Path, order: str) -> tuple[int, float, float]:
    """Return the number of users, and both hit rates."""
    with tempfile.TemporaryDirectory() as scratch:
        files, warehouse = Path(scratch, "files"), Path(scratch, "warehouse")
        files.mkdir()
        hidden = hold_out(source, files, order)
        subprocess.run(
            [sys.executable, "-m", "reelhouse", "run", "--source", str(files)],
            env=os.environ | {"REELHOUSE_WAREHOUSE": str(warehouse)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return len(hidden), *hit_rates(warehouse / "published.duckdb", hidden)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
