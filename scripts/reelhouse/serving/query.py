"""Query: one read-only question to the published tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from reelhouse.engines.duckdb.load import (
    UnreadableWarehouse,
    attached,
    is_damage,
    telling_damage,
)
from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings

ONE = "Ask one question at a time: write one select."


def ask(
    settings: Settings, question: str
) -> tuple[list[str], list[tuple[object, ...]]]:
    """Column names and rows of one select on the published tables of a target.

    Raises ReelhouseError where it cannot be run.
    """
    if settings.is_snowflake:
        from reelhouse.engines.snowflake.attempt import ask_serving

        return ask_serving(question)
    return query(settings.published, question)


@contextmanager
def open_published(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection to the published file, shut off from everything else."""
    with attach_published(published) as connection:
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        yield connection


@contextmanager
def attach_published(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads the published file, and may write others."""
    if not published.exists():
        raise ReelhouseError(
            f"{published} is not there: nothing has been published yet; "
            f"run `reelhouse run` first."
        )
    try:
        with closing(attached(published)) as connection, telling_damage(published):
            connection.execute("use published.serving")
            yield connection
    except UnreadableWarehouse as error:
        raise ReelhouseError(
            f"{published} {error.problem}: make it anew with `reelhouse publish`."
        ) from error


def query(published: Path, question: str) -> tuple[list[str], list[tuple[object, ...]]]:
    """Column names and rows of one select; ReelhouseError where it cannot be run."""
    with open_published(published) as connection:
        try:
            statements = connection.extract_statements(question)
            if len(statements) != 1:
                raise ReelhouseError(ONE)
            cursor = connection.execute(statements[0])
            names = [column[0] for column in cursor.description or []]
            return names, cursor.fetchall()
        except duckdb.Error as error:
            if is_damage(str(error)):
                raise
            first = str(error).strip().splitlines()[0]
            raise ReelhouseError(
                f"The question cannot be answered ({first}): the tables are those "
                f"of `reelhouse query 'from serving.published_tables'`."
            ) from error
