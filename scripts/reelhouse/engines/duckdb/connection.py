"""DuckDB: open a file, explain its errors, and write values and names in SQL."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from reelhouse.engines.warehouse import Ask
from reelhouse.errors import ReelhouseError, local_fault
from reelhouse.settings import memory_limit

DAMAGE = re.compile("Corrupt database|Could not read enough bytes|invalidated because")


class UnreadableWarehouse(ReelhouseError):
    """The file exists, but some or all of it cannot be read."""

    def __init__(self, path: Path, problem: str = "is damaged") -> None:
        self.problem = problem
        super().__init__(
            f"{path} {problem}: create a new one with `reelhouse run --rebuild`, which "
            f"moves this one aside and keeps the data of it or of the backup, or set "
            f"REELHOUSE_WAREHOUSE to another folder."
        )


def connect(path: Path, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection in UTC that uses no network; errors become ReelhouseError."""
    limit = memory_limit()
    try:
        connection = duckdb.connect(
            str(path),
            read_only=read_only,
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "python_enable_replacements": "false",
                **({"memory_limit": limit} if limit else {}),
            },
        )
    except duckdb.Error as error:
        raise _cannot_open(path, str(error)) from error
    connection.execute("set TimeZone = 'UTC'")
    return connection


def attached(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection with a file attached read-only as `published`; errors as above.

    Connections to the same path share one database while any of them is open, and so
    its settings and the file that was there first. This one shares nothing.
    """
    connection = connect(Path(":memory:"))
    try:
        connection.execute(f"attach {literal(path)} as published (read_only)")
    except duckdb.Error as error:
        connection.close()
        raise _cannot_open(path, str(error)) from error
    return connection


def log_of(path: Path) -> Path:
    """The path of a file's write-ahead log, which is part of that file's data."""
    return path.with_name(path.name + ".wal")


def sha256_of(path: Path) -> str | None:
    """The SHA-256 of a file; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def asking(connection: duckdb.DuckDBPyConnection) -> Ask:
    """A function that runs a query and returns its rows."""
    return lambda question: connection.execute(question).fetchall()


@contextmanager
def telling_damage(path: Path) -> Iterator[None]:
    """Turn DuckDB's errors about damaged blocks into UnreadableWarehouse."""
    try:
        yield
    except duckdb.Error as error:
        if is_damage(str(error)):
            raise UnreadableWarehouse(path) from error
        raise


def is_damage(message: str) -> bool:
    """Whether a message of DuckDB says that the file is damaged."""
    return bool(DAMAGE.search(message))


def _cannot_open(path: Path, message: str) -> ReelhouseError:
    if "Could not set lock" in message:
        holder = re.search(r"\(PID (\d+)\)", message)
        who = f"process {holder.group(1)}" if holder else "another process"
        return ReelhouseError(
            f"{path} is in use by {who}: wait for it to end, or end it."
        )
    if "Permission denied" in message or "Cannot open file" in message:
        return ReelhouseError(
            f"{path} cannot be opened: check its permissions and those of its folder."
        )
    if told := local_fault(message, path.parent):
        return told
    if "with a newer version" in message:
        return UnreadableWarehouse(path, "was written by a newer DuckDB")
    if "not a valid DuckDB database" in message or path.is_dir():
        return UnreadableWarehouse(path, "is not a DuckDB database")
    return UnreadableWarehouse(path)


def literal(value: object) -> str:
    """A value as a SQL literal: a whole number as it is, else its text in quotes."""
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name in quotes, as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def path_literal(path: Path) -> str:
    """A path as a SQL literal, with glob characters escaped."""
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path)))
