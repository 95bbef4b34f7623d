"""Snowflake, as `engines.engine.Engine` describes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from reelhouse.engines.publication import Build, Publication
from reelhouse.engines.snowflake import load
from reelhouse.engines.snowflake import reading as serving
from reelhouse.engines.snowflake.attempt import Undo
from reelhouse.engines.snowflake.attempt import attempt as attempt
from reelhouse.engines.snowflake.connection import open_account
from reelhouse.engines.snowflake.load import Warehouse
from reelhouse.engines.snowflake.publish import Publisher
from reelhouse.engines.snowflake.reading import check_question as check_question
from reelhouse.engines.warehouse import Answering, Ask
from reelhouse.settings import Settings


def open_trial(
    settings: Settings,
    scratch: Path,  # noqa: ARG001
) -> AbstractContextManager[Warehouse]:
    return load.open_warehouse(settings)


@contextmanager
def open_warehouse(settings: Settings) -> Iterator[Warehouse]:
    """Open the raw tables, after undoing what a killed run has left."""
    with load.open_warehouse(settings) as warehouse:
        Undo(warehouse.account, settings.warehouse).undo()
        yield warehouse


@contextmanager
def asking(settings: Settings) -> Iterator[Ask]:
    with open_account(settings.target) as account:
        yield account.ask


def publish(settings: Settings, build: Build) -> Publication:
    with open_account(settings.target) as account:
        return Publisher(account).publish(build)


def reading(settings: Settings) -> AbstractContextManager[Answering]:
    return serving.reading(settings.target)


def published_file(settings: Settings, scratch: Path) -> Path:
    fetched = scratch / f"{settings.target}.duckdb"
    serving.fetch_serving(fetched, settings.target)
    return fetched
