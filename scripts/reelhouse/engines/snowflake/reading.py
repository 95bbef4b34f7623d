"""Snowflake: answer questions on SERVING, and copy it into a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from reelhouse.engines.duckdb.connection import connect, identifier
from reelhouse.engines.snowflake.connection import (
    Account,
    connector,
    first_line,
    open_account,
)
from reelhouse.engines.warehouse import (
    MOST_ROWS,
    MOST_SECONDS,
    ONE_SELECT,
    Answer,
    Answering,
    CannotAnswer,
    bounded,
    shapes_in,
)
from reelhouse.errors import ReelhouseError

# Schemas that a question may read; '' is serving, too, or a part of the question.
SCHEMAS = ("", "serving", "information_schema")

LOCAL_TYPES = {
    "TEXT": "varchar",
    "FLOAT": "double",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP_NTZ": "timestamp",
}


@contextmanager
def reading(target: str) -> Iterator[Answering]:
    """Open a function that queries SERVING; ReelhouseError if nothing is published."""
    with open_account(target, "serving") as account:
        account.version()

        def answer(question: str) -> Answer:
            try:
                cursor = account.connection.cursor()
                cursor.execute(question, timeout=MOST_SECONDS)
            except connector().errors.ProgrammingError as error:
                raise CannotAnswer(first_line(error)) from error
            names = [column.name.lower() for column in cursor.description]
            return names, bounded(cursor.fetchmany(MOST_ROWS + 1))

        yield answer


def check_question(question: str) -> None:
    """Raise ReelhouseError unless the question is one select on published tables.

    The role may do more: files of stages, other schemas, functions with side effects.
    """
    import sqlglot
    from sqlglot import exp

    # By default, sqlglot prints questions that it does not know.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        statements = sqlglot.parse(question, dialect="snowflake")
    except sqlglot.ParseError as error:
        raise ReelhouseError(
            f"The question is not valid SQL ({first_line(error)}): write one select."
        ) from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise ReelhouseError(ONE_SELECT)
    outside = [each for each in statements[0].walk() if _reaches_outside(each)]
    if outside:
        raise ReelhouseError(
            f"A question can only read published tables, not "
            f"{outside[0].sql('snowflake')}: use tables of the schema serving."
        )


def _reaches_outside(node: Any) -> bool:
    """Whether a part of a question writes, or reads what is not published."""
    from sqlglot import exp

    if isinstance(node, exp.Table):
        is_named = isinstance(node.this, exp.Identifier)
        return not is_named or node.db.lower() not in SCHEMAS
    if isinstance(node, exp.TableFromRows):
        # Functions that sqlglot knows here make rows of values.
        return isinstance(node.this, exp.Anonymous | exp.Literal)
    if isinstance(node, exp.Parameter):  # a stage; $1 is a column
        return not isinstance(node.this, exp.Literal)
    if isinstance(node, exp.Dot):  # a function of a schema
        return isinstance(node.expression, exp.Func)
    if isinstance(node, exp.Anonymous):
        return node.name.lower().startswith(("system$", "get_ddl"))
    return isinstance(node, exp.Into | exp.DML | exp.DDL | exp.ToFile)


def fetch_serving(to: Path, target: str) -> None:
    """Write the published tables of the account into a file like the local one.

    Whole numbers become bigint, whatever their width in the account. Raises
    ReelhouseError for a column of a type that no local table has, and if the account
    publishes meanwhile.
    """
    with open_account(target) as account, closing(connect(to)) as file:
        version = account.version()
        file.execute("create schema serving")
        for name, (_, described) in shapes_in(account.ask, "serving").items():
            columns = {
                column: _local_type(f"{name}.{column}", *told)
                for column, *told in described
            }
            definition = ", ".join(
                f"{identifier(column)} {data_type}"
                for column, data_type in columns.items()
            )
            file.execute(f"create table serving.{identifier(name)} ({definition})")
            _fetch_rows(account, file, name, columns)
        if account.version() != version:
            raise ReelhouseError(
                "The account published a new version while its tables were fetched: "
                "fetch them again."
            )


def _local_type(column: str, data_type: str, precision: int, scale: int) -> str:
    """DuckDB's type for a column of a published table."""
    if data_type == "NUMBER":
        return f"decimal({precision}, {scale})" if scale else "bigint"
    if data_type not in LOCAL_TYPES:
        raise ReelhouseError(
            f"The account's {column} has type {data_type}, which local files lack: "
            f"cast it in the model."
        )
    return LOCAL_TYPES[data_type]


def _fetch_rows(
    account: Account, file: DuckDBPyConnection, name: str, columns: dict[str, str]
) -> None:
    cursor = account.connection.cursor()
    cursor.execute(f"select {', '.join(columns)} from serving.{name}")
    # Without rows, the connector makes no Arrow table.
    if cursor.rowcount:
        for batch in cursor.fetch_arrow_batches():
            file.register("fetched", batch)
            file.execute(f"insert into serving.{identifier(name)} from fetched")
            file.unregister("fetched")
