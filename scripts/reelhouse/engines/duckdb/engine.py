"""DuckDB, as `engines.engine.Engine` describes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from reelhouse.engines.duckdb import load
from reelhouse.engines.duckdb import reading as serving
from reelhouse.engines.duckdb.attempt import attempt as attempt
from reelhouse.engines.duckdb.attempt import other_source
from reelhouse.engines.duckdb.connection import asking as ask_of
from reelhouse.engines.duckdb.connection import connect
from reelhouse.engines.duckdb.publish import prepare, remove, show
from reelhouse.engines.duckdb.reading import check_question as check_question
from reelhouse.engines.publication import Build, Publication
from reelhouse.engines.warehouse import Answering, Ask
from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings


def open_warehouse(settings: Settings) -> AbstractContextManager[load.Warehouse]:
    return load.open_warehouse(settings.database)


def open_trial(
    settings: Settings, scratch: Path
) -> AbstractContextManager[load.Warehouse]:
    """Open the warehouse, or a new one if it is missing or of another source."""
    database = settings.database
    if not database.exists() or other_source(database, settings.source_name):
        database = scratch / database.name
    return load.open_warehouse(database)


@contextmanager
def asking(settings: Settings) -> Iterator[Ask]:
    if not settings.database.exists():
        raise ReelhouseError(
            f"{settings.database} does not exist, so there is nothing to look at: run "
            f"`reelhouse run` first."
        )
    with closing(connect(settings.database, read_only=True)) as connection:
        yield ask_of(connection)


def publish(settings: Settings, build: Build) -> Publication:
    prepared = settings.warehouse / f".{settings.published.name}"
    try:
        publication = prepare(settings.database, settings.published, prepared, build)
        show(prepared, settings.published)
    finally:
        remove(prepared)
    return publication


def reading(settings: Settings) -> AbstractContextManager[Answering]:
    return serving.reading(settings.published)


def published_file(settings: Settings, scratch: Path) -> Path:  # noqa: ARG001
    return settings.published
