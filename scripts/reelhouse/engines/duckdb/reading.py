"""DuckDB: questions to the published file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from reelhouse.engines.duckdb.connection import (
    UnreadableWarehouse,
    attached,
    is_damage,
    telling_damage,
)
from reelhouse.engines.warehouse import ONE_SELECT, Answer, Answering, CannotAnswer
from reelhouse.errors import ReelhouseError


@contextmanager
def reading(published: Path) -> Iterator[Answering]:
    """A way to ask a published file, shut off from everything else."""
    with attach_published(published) as connection:
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")

        def answer(question: str) -> Answer:
            try:
                cursor = connection.execute(question)
                names = [column[0] for column in cursor.description or []]
                return names, cursor.fetchall()
            except duckdb.Error as error:
                if is_damage(str(error)):
                    raise
                raise CannotAnswer(str(error).strip().splitlines()[0]) from error

        yield answer


@contextmanager
def attach_published(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads the published file, and may write others.

    Raises ReelhouseError where it is not there, or cannot be read.
    """
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


def check_question(question: str) -> None:
    """Raise ReelhouseError for what is not one select."""
    try:
        statements = duckdb.extract_statements(question)
    except duckdb.Error:
        # It is refused with the engine's words when it is asked.
        return
    reads = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    if len(statements) != 1 or statements[0].type not in reads:
        raise ReelhouseError(ONE_SELECT)
