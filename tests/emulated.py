"""Sessions of the emulated Snowflake, for tests."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key

from reelhouse.engines.snowflake.connection import open_account
from reelhouse.local.emulator import EmulatorSettings

__all__ = ["Client", "DatabaseError"]

with warnings.catch_warnings():
    # The connector's vendored requests warns about a library that it never calls.
    warnings.simplefilter("ignore")
    import snowflake.connector
    from snowflake.connector.constants import FIELD_ID_TO_NAME
    from snowflake.connector.errors import DatabaseError, ProgrammingError


@cache
def _loaded(private_key: str) -> Any:
    """Return a key, cached: loading it checks it, which is slower than most tests."""
    return load_der_private_key(base64.b64decode(private_key), None)


class Client:
    """One connector session in the database of a test."""

    def __init__(self, settings: EmulatorSettings, database: str, **more: Any) -> None:
        self.connection = snowflake.connector.connect(
            **settings.login
            | {
                "port": settings.port,
                "private_key": _loaded(settings.private_key),
                "database": database,
                "schema": "PUBLIC",
                # Limit every wait.
                "login_timeout": 60,
                "network_timeout": 60,
                "platform_detection_timeout_seconds": 0.0,
            }
            | more
        )

    def __call__(self, *statements: str, **arguments: Any) -> list[tuple[Any, ...]]:
        """Run statements and return the rows of the last one."""
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


def statements() -> list[tuple[int, str]]:
    """Return session and text of every statement that the account has received."""
    with open_account("prod") as account:
        rows = account.ask("select session, text from emulator.statements")
    return [(session, text) for session, text in rows]
