"""Snowflake: open an account, explain its errors, and write values in SQL."""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from reelhouse.errors import ReelhouseError
from reelhouse.settings import NO_SETTINGS, environment, project, variables

# Seconds after which to give up a login, an account that does not answer, and a
# statement; while a statement runs, an account says so at least every minute.
LOGIN_SECONDS = 60
NETWORK_SECONDS = 330
LONGEST_WAIT_SECONDS = 16
STATEMENT_SECONDS = 3_600

# Parameters that an account may set otherwise, which would change what is read.
SESSION = {
    "TIMEZONE": "UTC",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    "DATE_INPUT_FORMAT": "AUTO",
    "ROWS_PER_RESULTSET": 0,
}

# The connector's number for a request that failed.
NO_ANSWER = 250_003
# Snowflake's error number for what does not exist, or not for this role.
UNKNOWN_OBJECT = 2003

# Tells whether anything is published. Because the text is always the same, Snowflake
# answers from its result cache and does not start a warehouse.
VERSION = "select version from serving.publication"


class Account:
    """The database of an account, as an open connection sees it."""

    def __init__(self, connection: Any, target: str) -> None:
        self.connection = connection
        self.target = target

    def run(self, sql: str, *values: object) -> Any:
        """Run a statement in which each ? stands for a value; return its cursor."""
        return self.connection.cursor().execute(sql, values or None)

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        rows: list[tuple[Any, ...]] = self.run(sql, *values).fetchall()
        return rows

    def make_schemas(self, *names: str) -> None:
        """Create the schemas that do not exist."""
        # Check first, because `create schema` needs a privilege that may be missing.
        wanted = ", ".join(literal(name.upper()) for name in names)
        found = self.ask(
            "select lower(schema_name) from information_schema.schemata "
            f"where schema_name in ({wanted})"
        )
        for name in names:
            if (name,) not in found:
                self.run(f"create schema {name}")

    def tables(self) -> dict[str, str]:
        """Every table as schema.table, with its kind: 'table' or 'transient table'.

        Snowflake makes no permanent clone of a transient table.
        """
        rows = self.ask(
            "select lower(table_schema), lower(table_name), is_transient "
            "from information_schema.tables where table_type = 'BASE TABLE'"
        )
        return {
            f"{schema}.{name}": "transient table" if kind == "YES" else "table"
            for schema, name, kind in rows
        }

    def version(self) -> str:
        """The version in SERVING; raises ReelhouseError if nothing is published."""
        try:
            ((version,),) = self.ask(VERSION)
        except self.connection.ProgrammingError as error:
            if error.errno != UNKNOWN_OBJECT:
                raise
            raise ReelhouseError(
                "The account has no published tables yet: run `reelhouse run --target "
                f"{self.target}` first."
            ) from error
        return str(version)


@contextmanager
def open_account(target: str, schema: str = "raw") -> Iterator[Account]:
    """Open the account of a target, in a schema.

    Raises ReelhouseError if it refuses something, or cannot be reached any more.
    """
    connection = connect(target, schema)
    try:
        yield Account(connection, target)
    except connector().errors.Error as error:
        if is_lost(error):
            raise ReelhouseError(
                f"The connection to the account {connection.account} was lost: run the "
                f"command again when the account can be reached."
            ) from error
        raise ReelhouseError(
            f"The account {connection.account} refused a statement "
            f"({first_line(error)}): check the role and the warehouse against "
            f"docs/snowflake.md, then run the command again."
        ) from error
    finally:
        connection.close()


def connect(target: str, schema: str | None) -> Any:
    """A connection as profiles.yml describes it, in UTC and with timeouts.

    Without a schema it has no database either, and the user's own role and warehouse.
    Raises ReelhouseError if the account does not let it in.
    """
    errors = connector().errors  # before dbt, which would show its warnings
    credentials = _credentials(target)
    # dbt prints errors that the connector logs, although they are also raised.
    logging.getLogger("snowflake.connector").setLevel(logging.CRITICAL)
    place = {
        "database": credentials.database,
        "schema": schema,
        "warehouse": credentials.warehouse,
        "role": credentials.role,
    }
    login = _login(credentials)
    try:
        return connector().connect(
            account=credentials.account,
            autocommit=True,
            paramstyle="qmark",
            application="reelhouse",
            # By default, the connector looks for a cloud around this machine.
            platform_detection_timeout_seconds=(
                credentials.platform_detection_timeout_seconds
            ),
            session_parameters=SESSION
            | {
                "QUERY_TAG": credentials.query_tag,
                "STATEMENT_TIMEOUT_IN_SECONDS": STATEMENT_SECONDS,
            },
            **limits(),
            **place if schema else {},
            **login,
        )
    except errors.Error as error:
        if is_lost(error):
            raise ReelhouseError(
                f"The account {credentials.account} cannot be reached "
                f"({first_line(error)}): check SNOWFLAKE_ACCOUNT, SNOWFLAKE_HOST if "
                f"it is set, and the network."
            ) from error
        raise ReelhouseError(
            f"The account {credentials.account} does not let {credentials.user} log in "
            f"({first_line(error)}): check the variables SNOWFLAKE_…."
        ) from error


def limits() -> dict[str, Any]:
    """Connector arguments that limit how long it waits for anything."""
    return {
        "login_timeout": LOGIN_SECONDS,
        # This limits only how long a statement may take.
        "network_timeout": STATEMENT_SECONDS,
        "backoff_policy": _patience,
    }


def _patience() -> Iterator[int]:
    """Yield the seconds to wait before each further attempt at one request."""
    deadline = time.monotonic() + NETWORK_SECONDS
    seconds = 1
    while time.monotonic() < deadline:
        yield seconds
        seconds = min(2 * seconds, LONGEST_WAIT_SECONDS)
    raise connector().errors.OperationalError(
        msg=f"There was no answer for {NETWORK_SECONDS} seconds.", errno=NO_ANSWER
    )


def connector() -> Any:
    """The module snowflake.connector, imported on first use.

    Its warnings about newer versions of other libraries are hidden, and so are the
    errors that it logs, because it raises them as well.
    """
    logging.getLogger("snowflake.connector").addHandler(logging.NullHandler())
    with warnings.catch_warnings(), environment(NO_SETTINGS):
        warnings.simplefilter("ignore")
        import snowflake.connector
        import snowflake.connector.util_text
    return snowflake.connector


def is_lost(error: BaseException) -> bool:
    """Whether an error says that the account cannot be reached any more."""
    errors = connector().errors
    if isinstance(error, errors.OperationalError):
        # The connector's numbers for connection errors begin with these digits.
        return bool(error.errno // 1_000 == NO_ANSWER // 1_000)
    return isinstance(error, errors.Error) and not isinstance(
        error, errors.DatabaseError
    )


def _login(credentials: Any) -> dict[str, Any]:
    """The arguments for a login; raises ReelhouseError if a key cannot be used."""
    variable = (
        "SNOWFLAKE_PRIVATE_KEY"
        if credentials.private_key
        else "SNOWFLAKE_PRIVATE_KEY_PATH"
    )
    try:
        login: dict[str, Any] = credentials.auth_args()
        is_rsa = True
        if key := login.get("private_key"):
            # The connector does not have to check a key object again.
            login["private_key"] = load_der_private_key(key, None)
            is_rsa = isinstance(login["private_key"], RSAPrivateKey)
    except OSError as error:
        raise ReelhouseError(
            f"{variable} names a file that cannot be read ({error.strerror}): check "
            f"its path and its permissions."
        ) from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        opened = (
            "opens with SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"
            if credentials.private_key_passphrase
            else "opens without SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"
        )
        raise ReelhouseError(
            f"{variable} does not contain a private key that {opened}: check both."
        ) from None  # a library's message may show parts of the key
    if not is_rsa:
        raise ReelhouseError(
            f"{variable} contains a private key that is not RSA: create one as in "
            f"docs/snowflake.md."
        )
    return login


def _credentials(target: str) -> Any:
    """The credentials that dbt itself reads from profiles.yml for a target."""
    from dbt.config.profile import Profile, read_profile
    from dbt.config.renderer import ProfileRenderer
    from dbt.flags import set_from_args
    from dbt_common.context import set_invocation_context

    set_invocation_context(variables())
    set_from_args(argparse.Namespace(), None)
    profile = Profile.from_raw_profiles(
        raw_profiles=read_profile(str(project())),
        profile_name="reelhouse",
        renderer=ProfileRenderer({}),
        target_override=target,
    )
    return profile.credentials


def first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def literal(value: object) -> str:
    """A value as a SQL literal; backslashes, which escape there, are escaped."""
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"
