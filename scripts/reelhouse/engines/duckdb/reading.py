"""DuckDB: answer questions on the published file."""

from __future__ import annotations

import threading
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
from reelhouse.engines.warehouse import (
    MOST_ROWS,
    MOST_SECONDS,
    ONE_SELECT,
    Answer,
    Answering,
    CannotAnswer,
    bounded,
)
from reelhouse.errors import ReelhouseError
from reelhouse.settings import memory_limit

# The limit if REELHOUSE_MEMORY_LIMIT is not set: no question uses all memory.
MEMORY = "50%"


@contextmanager
def reading(published: Path) -> Iterator[Answering]:
    """Open a function that queries a published file, shut off from everything else.

    A question is limited in rows, memory and time, and cannot use the disk.
    """
    with attach_published(published) as connection:
        if not memory_limit():
            connection.execute(f"set memory_limit = '{MEMORY}'")
        # Questions could also read and write files in the folder for spilled data.
        connection.execute("set temp_directory = ''")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")

        def answer(question: str) -> Answer:
            timer = threading.Timer(MOST_SECONDS, connection.interrupt)
            timer.daemon = True
            timer.start()
            try:
                cursor = connection.execute(question)
                names = [column[0] for column in cursor.description or []]
                return names, bounded(cursor.fetchmany(MOST_ROWS + 1))
            except duckdb.InterruptException as error:
                if not timer.finished.is_set():  # Ctrl-C
                    raise
                why = f"it took longer than {MOST_SECONDS} seconds"
                raise CannotAnswer(why) from error
            except duckdb.Error as error:
                if is_damage(str(error)):
                    raise
                raise CannotAnswer(_said(str(error))) from error
            finally:
                timer.cancel()

        yield answer


def _said(message: str) -> str:
    """DuckDB's message about a question, with its hints but without the position."""
    before = message.partition("\n\nLINE ")[0]
    return " ".join(before.split())


@contextmanager
def attach_published(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads the published file, and may write others.

    Raises ReelhouseError if the file does not exist or cannot be read.
    """
    if not published.exists():
        raise ReelhouseError(
            f"{published} does not exist: nothing has been published yet; "
            f"run `reelhouse run` first."
        )
    try:
        with closing(attached(published)) as connection, telling_damage(published):
            connection.execute("use published.serving")
            yield connection
    except UnreadableWarehouse as error:
        raise ReelhouseError(
            f"{published} {error.problem}: replace it with `reelhouse publish`."
        ) from error


def check_question(question: str) -> None:
    """Raise ReelhouseError unless the question is one select."""
    try:
        statements = duckdb.extract_statements(question)
    except duckdb.Error:
        # It fails with the engine's own message when it is run.
        return
    if [each.type for each in statements] != [duckdb.StatementType.SELECT]:
        raise ReelhouseError(ONE_SELECT)
