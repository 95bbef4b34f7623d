"""Two deliveries, a run of each, and copies of the warehouse after the first one."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.delivery import client, copy_warehouse, csv, one_worker_at_a_time
from tests.faults import tally, warm
from tests.faults.warm import Started

from reelhouse.engines.duckdb.reading import attach_published
from reelhouse.local.bucket import environment as aws_variables
from reelhouse.s3 import S3Settings, upload

MOVIES = [
    "1,Lantern (1994),Drama|Comedy",
    '2,"Harbour, The (1999)",Drama',
    "3,Salt (2001),Comedy",
    "4,Unseen (2003),War",
]
RATINGS = [
    f"{user},{movie},{(user * movie) % 10 / 2 + 0.5},{1_000_000_000 + user * 86_400}"
    for user in range(1, 13)
    for movie in range(1, 4)
]
TAGS = ["1,1,Quiet,1100000000", "9,2,loud,1100000001"]
FIRST = {
    "movies.csv": csv("movies", MOVIES),
    "ratings.csv": csv("ratings", RATINGS),
    "tags.csv": csv("tags", TAGS),
}
# A changed title, a removed rating, a changed one and one of a new user.
SECOND = {
    "movies.csv": csv("movies", ["1,Lanterns (1994),Drama|Comedy", *MOVIES[1:]]),
    "ratings.csv": csv(
        "ratings", [*RATINGS[1:-1], "12,3,0.5,1300000000", "20,4,2.5,1300000002"]
    ),
    "tags.csv": csv("tags", TAGS[:1]),
}
# All files in the warehouse's folder after a run.
FILES = {
    *(".lock", "backup", "dbt"),
    *("published.duckdb", "published.sha256", "reelhouse.duckdb"),
}


@dataclass
class Desk:
    """A warehouse after a run of the first delivery; the bucket has the second one.

    `disk` is the process that mounted the warehouse's own small disk, or None without
    one.
    """

    s3: S3Settings
    bucket: str
    warehouse: Path
    disk: int | None = None

    @property
    def seen(self) -> Path:
        """The path of the warehouse from this process."""
        root = Path(f"/proc/{self.disk}/root") if self.disk else Path("/")
        return root / self.warehouse.relative_to("/")

    @property
    def published(self) -> Path:
        return self.seen / "published.duckdb"

    @property
    def database(self) -> Path:
        return self.seen / "reelhouse.duckdb"

    def copy(self, warehouse: Path) -> Desk:
        """Return a desk with the same bucket and a copy of this one's folder."""
        host = urlsplit(self.s3.endpoint_url or "").netloc
        source = f"s3://{self.bucket}/source at {host}"
        copy_warehouse(self.warehouse, warehouse, source)
        return replace(self, warehouse=warehouse)

    def put(self, files: dict[str, bytes]) -> None:
        for key, body in files.items():
            client(self.s3).put_object(
                Bucket=self.bucket, Key=f"source/{key}", Body=body
            )

    def environment(self, day: int) -> dict[str, str]:
        """Return the variables for a command on a day of January 2026."""
        own = {
            "REELHOUSE_MOMENT": f"2026-01-{day:02}",
            "REELHOUSE_MAX_SHRINK": "1",
            "REELHOUSE_MAX_REJECTS": "1",
            "REELHOUSE_WAREHOUSE": str(self.warehouse),
            "REELHOUSE_SOURCE": f"s3://{self.bucket}/source",
        }
        return aws_variables(self.s3) | own

    def start(
        self, *arguments: str, day: int = 2, variables: Mapping[str, str] | None = None
    ) -> Started:
        """Start a command in its own process; `run` if none is named."""
        return warm.start(
            list(arguments or ["run"]),
            self.environment(day) | dict(variables or {}),
            self.warehouse.with_name(f"said-{time.monotonic_ns()}"),
            self.disk,
        )

    def run(self, day: int = 2) -> None:
        """Run, and check that it succeeds."""
        started = self.start(day=day)
        assert started.wait() == 0, started.said

    def check_message(self, started: Started, pattern: str) -> None:
        """Check that the command printed one sentence and left no temporary file."""
        (line,) = started.said.splitlines()
        assert line.startswith("reelhouse: ")
        assert line.endswith(".")
        assert re.search(pattern, line), line
        assert self.names() <= FILES

    def names(self) -> set[str]:
        return {path.name for path in self.seen.iterdir()}

    def prints(self) -> list[bytes]:
        return [file.read_bytes() for file in (self.database, self.published)]


@dataclass
class Desks:
    """The expected result of a run of the second delivery, and its duration."""

    first: Desk
    unharmed: Path
    seconds: float

    def check(self, published: Path) -> None:
        """Check that every table, history too, equals that of an undisturbed run."""
        comparison = tally.published(published, self.unharmed)
        differing = [table.name for table in comparison.tables if not table.is_equal]
        assert differing == []
        assert len(comparison.tables) > 30

    def check_desk(self, desk: Desk) -> None:
        """Check the published file, and that the folder has no other files."""
        self.check(desk.published)
        assert desk.names() == FILES


@pytest.fixture(scope="session")
def first(s3_server: S3Settings, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk after a run of the first delivery; its bucket has the second one."""
    upload(s3_server, [], "s3://faults-bucket")
    with one_worker_at_a_time(tmp_path_factory, "desks") as folder:
        first = Desk(s3_server, "faults-bucket", folder / "first")
        if not first.published.exists():
            first.put(FIRST)
            first.run(day=1)
    # Each worker has its own S3.
    first.put(SECOND)
    return first


@pytest.fixture(scope="session")
def desks(first: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desks:
    with one_worker_at_a_time(tmp_path_factory, "desks") as folder:
        unharmed, seconds = folder / "unharmed", folder / "seconds"
        if not unharmed.exists():
            run = first.copy(folder / "run")
            began = time.monotonic()
            run.run()
            seconds.write_text(str(time.monotonic() - began))
            run.published.replace(unharmed)
        return Desks(first, unharmed, float(seconds.read_text()))


@pytest.fixture
def desk(first: Desk, tmp_path: Path) -> Desk:
    """A desk for one test."""
    return first.copy(tmp_path / "warehouse")


def read_whole(published: Path) -> str:
    """Read every published row and return the version; assert that none is missing."""
    with attach_published(published) as connection:
        ((version,),) = connection.execute("select version from publication").fetchall()
        for name, count in connection.execute(
            "select name, row_count from published_tables"
        ).fetchall():
            relation = connection.sql(f'select * from serving."{name}"')
            assert len(relation.fetchall()) == count, name
    return str(version)
