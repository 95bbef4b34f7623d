"""Sessions of the emulated Snowflake, for tests."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.delivery import Delivery

from reelhouse.contract import entities, ledger_tables
from reelhouse.emulator import EmulatorSettings, connection

with warnings.catch_warnings():
    # The connector's own copy of requests minds a library that it never calls.
    warnings.simplefilter("ignore")
    import snowflake.connector
    from snowflake.connector.constants import FIELD_ID_TO_NAME
    from snowflake.connector.errors import ProgrammingError


class Client:
    """One session of the connector, in the database of a test."""

    def __init__(self, settings: EmulatorSettings, database: str, **more: Any) -> None:
        self.connection = snowflake.connector.connect(
            **connection(settings)
            | {"database": database, "schema": "PUBLIC", "network_timeout": 60}
            | more
        )

    def __call__(self, *statements: str, **arguments: Any) -> list[tuple[Any, ...]]:
        """Run statements; the rows of the last one."""
        cursor = self.connection.cursor()
        for statement in statements:
            cursor.execute(statement, **arguments)
        return [tuple(row) for row in cursor.fetchall()]

    def types(self, statement: str) -> list[str]:
        cursor = self.connection.cursor()
        cursor.execute(statement)
        return [FIELD_ID_TO_NAME[column.type_code] for column in cursor.description]

    @contextmanager
    def refuses(self, pattern: str) -> Iterator[None]:
        with pytest.raises(ProgrammingError, match=pattern):
            yield


TYPES = {
    "BIGINT": "FIXED",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "DECIMAL": "FIXED",
    "DOUBLE": "REAL",
    "HUGEINT": "FIXED",
    "INTEGER": "FIXED",
    "TIMESTAMP": "TIMESTAMP_NTZ",
    "VARCHAR": "TEXT",
}


def copy_raw(delivery: Delivery, sql: Client, folder: Path) -> None:
    """Make the raw tables of a warehouse in the emulated account, with its rows."""
    sql("create schema if not exists raw", "create or replace stage raw.handed_over")
    for table in (*entities().values(), *ledger_tables()):
        names = ", ".join(column.name for column in table.columns)
        definitions = ", ".join(
            f"{column.name} {column.data_type}" for column in table.columns
        )
        path = folder / f"{table.name}.csv"
        delivery.rows(
            f"copy (select {names} from raw.{table.name}) to '{path}' "
            f"(header false, force_quote *, nullstr '')"
        )
        sql(f"create or replace table raw.{table.name} ({definitions})")
        sql(f"put 'file://{path}' @raw.handed_over auto_compress = false")
        sql(
            f"copy into raw.{table.name} from @raw.handed_over files = ('{path.name}') "
            f"file_format = (type = csv field_optionally_enclosed_by = '\"' "
            f"null_if = () escape_unenclosed_field = none)"
        )


def differences(
    delivery: Delivery, sql: Client, relation: str, ignored: set[str]
) -> list[str]:
    """What tells a relation in the account from the one in the warehouse.

    Rows that one side alone has, each behind its side, and columns of other types.
    """
    described = {
        name: str(data_type).partition("(")[0]
        for name, data_type, *_ in delivery.rows(f"describe {relation}")
        if name not in ignored
    }
    columns = ", ".join(described)
    question = f"select {columns} from {relation}"
    found = [
        f"{column} is {there}, not {here}"
        for (column, here), there in zip(
            described.items(), sql.types(question), strict=True
        )
        if TYPES[here] != there
    ]
    here = Counter(delivery.rows(question))
    there = Counter(sql(question))
    found += [f"warehouse: {row}" for row in (here - there).elements()]
    found += [f"account: {row}" for row in (there - here).elements()]
    return found
