"""Sessions of the emulated account: stock fakesnow, with our deviations."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import duckdb
import fakesnow.arrow
import fakesnow.info_schema
import fakesnow.transforms
import sqlglot
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from fakesnow.rowtype import ColumnInfo, describe_as_rowtype
from fakesnow.statement_type import statement_type_id
from snowflake.connector import errors
from sqlglot import Expr, exp

from reelhouse.engines.duckdb.connection import literal
from reelhouse.errors import ReelhouseError
from reelhouse.local.emulator import account, stages, tables, values, widths
from reelhouse.local.emulator.deviations import (
    DONE,
    Name,
    NotEmulated,
    matched,
    plain,
)
from reelhouse.s3 import S3Settings

# Snowflake's error numbers for a stopped statement.
CANCELED = 604
TIMEOUT = 630

_DDL = "(?:create|alter|drop|undrop|comment|grant|revoke) .*"


class Account(FakeSnow):
    """The one emulated account that all sessions share; it lives in memory."""

    def __init__(
        self, scratch: str, s3: S3Settings | None, statement_seconds: float
    ) -> None:
        super().__init__()
        self.s3 = s3
        self.statement_seconds = statement_seconds
        self.lock = threading.RLock()
        self.temporary: set[Name] = set()
        # The longest text that a column of a table may hold (D26).
        self.widths: dict[Name, dict[str, int]] = {}
        # Session parameters that apply unless the login sets them.
        self.defaults: dict[str, Any] = {}
        self.session_count = 0
        self.has_faults = False
        self.duck_conn.execute(f"set global temp_directory = {literal(scratch)}")
        look_up_no_python_variable(self.duck_conn)
        open_no_file(self.duck_conn)
        self.duck_conn.execute(account.TABLES + tables.KINDS)
        _patch_fakesnow()

    def open_session(
        self,
        database: str | None,
        schema: str | None,
        role: str | None,
        parameters: dict[str, Any],
    ) -> Session:
        # Without the lock, two sessions would both create the database.
        with self.lock:
            self.session_count += 1
            session = Session(self, self.session_count, database, schema, parameters)
        session.role = role
        remember_statement(session, f"login as {role}")
        return session

    @contextmanager
    def ledger(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection outside any session's transaction, for one thread at a time."""
        with self.lock, self.duck_conn.cursor() as connection:
            yield connection


def _patch_fakesnow() -> None:
    """Replace functions of fakesnow where it offers no other way to change them."""
    database_sql = fakesnow.info_schema.per_db_creation_sql
    fakesnow.info_schema.per_db_creation_sql = lambda catalog: (
        database_sql(catalog)
        .replace(tables.NO_TRANSIENT, tables.IS_TRANSIENT)
        .replace(tables.VIEW_SQL, tables.VIEW_TEXT)
    )
    fakesnow.info_schema.insert_table_comment_sql = tables.table_comment_sql
    fakesnow.transforms.numeric_agg_implicit_cast = values.sum_exactly
    fakesnow.transforms.trim_cast_varchar = values.trim_characters
    fakesnow.transforms.to_timestamp = values.count_from_utc
    vars(fakesnow.arrow)["timestamp_to_sf_struct"] = values.timestamp_structs


class Session(FakeSnowflakeConnection):
    """One connection with its own parameters."""

    def __init__(
        self,
        account: Account,
        number: int,
        database: str | None,
        schema: str | None,
        parameters: dict[str, Any],
    ) -> None:
        self.duck = account.duck_conn.cursor()
        is_new = (
            database
            and not self.duck.execute(
                "select 1 from duckdb_databases() where database_name = upper(?)",
                [database],
            ).fetchone()
        )
        super().__init__(
            self.duck, account.results_cache, database, schema, create_schema=False
        )
        self.in_transaction = False
        self.variables = values.no_variables()
        self.account = account
        self.number = number
        self.role: str | None = None
        self.has_local_timestamps = False
        self.statement_seconds = account.statement_seconds
        obey_parameters(self, account.defaults | parameters)
        self.temporary: dict[Name, str] = {}
        self.was_rolled_back = False
        self.stopped: errors.Error | None = None
        if is_new:
            self.cursor().execute("create schema public")
            if (schema or "").upper() == "PUBLIC":
                self.cursor().execute("use schema public")

    def cursor(self, cursor_class: Any = None) -> Cursor:  # noqa: ARG002
        return Cursor(self, self.duck)

    def close(self, retry: bool = True) -> None:
        """Roll back what is not committed, and drop temporary tables and views."""
        with contextlib.suppress(duckdb.Error):
            self.duck.rollback()
        for name, kind in self.temporary.items():
            with contextlib.suppress(duckdb.Error):
                self.duck.execute(f"drop {kind} if exists {name.sql}")
            self.account.temporary.discard(name)
        super().close(retry)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Run the block as one transaction; a failure also rolls back an open one."""
        is_own = not self.in_transaction
        if is_own:
            self.duck.begin()
        try:
            yield
        except BaseException:
            self.duck.rollback()
            self.was_rolled_back = not is_own
            self.in_transaction = False
            raise
        if is_own:
            self.duck.commit()

    def columns(self, name: Name) -> list[tuple[str, str, bool, str, str]]:
        """Name, type, whether it may be null, default and comment of each column."""
        return self.duck.execute(
            "select column_name, data_type, is_nullable, column_default, comment "
            "from duckdb_columns() "
            "where (database_name, schema_name, table_name) = (?, ?, ?) "
            "order by column_index",
            list(name),
        ).fetchall()

    def stop(self, number: int, reason: str) -> None:
        """Interrupt the running statement, which then fails with this error."""
        self.stopped = errors.ProgrammingError(reason, number, "57014")
        self.duck.interrupt()


class Cursor(FakeSnowflakeCursor):
    """Runs one statement: through a deviation, or as stock fakesnow does."""

    _conn: Session

    def __init__(self, session: Session, duck: duckdb.DuckDBPyConnection) -> None:
        super().__init__(session, duck)
        self.type_id = 0
        self.columns: list[Any] = []
        self.table: Any = None
        self.put: Any = None
        self.made: tables.Made | None = None

    def execute(
        self, command: str, params: Any = None, *args: Any, **kwargs: Any
    ) -> Cursor:
        session = self._conn
        try:
            with limit_time(session):
                self._run(command, params, *args, **kwargs)
        except Exception as error:
            roll_back_failed(session)
            raise as_sql_error(error, session.stopped) from error
        finally:
            keep_no_result(session)
        return self

    def _run(self, command: str, params: Any, *args: Any, **kwargs: Any) -> None:
        session = self._conn
        text = plain(command)
        fail_as_told(session.account, text)
        refuse_ddl_in_transaction(session, text)
        for respond in (
            transact,
            refuse_session_parameters,
            account.accept_account_statement,
            account.give_everything,
            tables.comment_on_columns,
            tables.clone_table,
            stages.remove_from_stage,
            tables.swap_schemas,
        ):
            response = respond(session, text)
            if response is not None:
                self._execute(sqlglot.parse_one(response, read="duckdb"))
                return
        made = tables.without_properties(text) or command
        super().execute(made, params, *args, **kwargs)
        if self.made:
            tables.follow(session, self.made, command.strip())

    def rowtype(self) -> list[ColumnInfo]:
        """The columns of the result, as the connector wants them described."""
        return describe_as_rowtype(
            [(each[0], str(each[1]), None, None, None, None) for each in self.columns]
        )

    def _transform_explode(self, expression: Expr) -> list[Expr]:
        self.type_id = statement_type_id(expression)
        account.find_offered_tables(expression)
        if self._conn.has_local_timestamps:
            for data_type in expression.find_all(exp.DataType):
                if data_type.this == exp.DType.TIMESTAMP:
                    data_type.set("this", exp.DType.TIMESTAMPLTZ)
        self.made = tables.made_by(self._conn, expression)
        tables.make_ordinary(self._conn, expression)
        tables.unquote_comments(expression)
        if isinstance(expression, exp.Merge):
            return [expression]
        return super()._transform_explode(expression)

    def _execute(self, transformed: Expr, params: Any = None) -> None:
        session = self._conn
        is_change = isinstance(transformed, (exp.Insert, exp.Update))
        if isinstance(transformed, exp.Merge):
            transformed, params = tables.merge(session, transformed, params), None
        elif isinstance(transformed, exp.Copy):
            transformed = stages.copy_from_stage(session, transformed)
        with session.whole() if is_change else nullcontext():
            super()._execute(transformed, params)
            self.columns = list(session.duck.description or [])
            if is_change:
                widths.check_widths(session, transformed)
        self.table = self._arrow_table
        self.put = transformed.args.get("put_stage_data")


def obey_parameters(session: Session, parameters: dict[str, Any]) -> None:
    """D3: Take a session's parameters from its login, or else from the account.

    Stock fakesnow knows none. Snowflake knows a hundred, and ALTER SESSION. Here
    STATEMENT_TIMEOUT_IN_SECONDS, TIMEZONE and TIMESTAMP_TYPE_MAPPING (without TZ) take
    effect. A session without AUTOCOMMIT is refused, as are ALTER SESSION and SHOW
    PARAMETERS. All other parameters are ignored.
    """
    session.duck.execute(f"set timezone = {literal(parameters.get('TIMEZONE', 'UTC'))}")
    mapping = parameters.get("TIMESTAMP_TYPE_MAPPING", "TIMESTAMP_NTZ")
    if mapping not in {"TIMESTAMP_NTZ", "TIMESTAMP_LTZ"}:
        raise NotEmulated(f"TIMESTAMP_TYPE_MAPPING = {mapping}")
    session.has_local_timestamps = mapping == "TIMESTAMP_LTZ"
    if str(parameters.get("AUTOCOMMIT", True)).lower() != "true":
        raise NotEmulated("AUTOCOMMIT = FALSE")
    asked = int(parameters.get("STATEMENT_TIMEOUT_IN_SECONDS", 0))
    if asked:
        session.statement_seconds = min(asked, session.statement_seconds)


def refuse_session_parameters(_: Session, text: str) -> None:
    """Refuse ALTER SESSION and SHOW PARAMETERS (D3); fakesnow would accept a few."""
    if matched("(?:alter session|show parameters).*", text):
        raise NotEmulated(text)


def as_sql_error(error: Exception, stopped: errors.Error | None = None) -> errors.Error:
    """D6: Turn any error into an SQL error.

    Stock fakesnow answers HTTP 500 to an unexpected error, and the connector then
    retries for minutes. Snowflake answers with a number and a state. Here all errors
    have both; what the emulator cannot do is reported as "Not emulated".
    """
    if isinstance(error, duckdb.InterruptException):
        return stopped or errors.ProgrammingError(
            "SQL execution canceled", CANCELED, "57014"
        )
    if isinstance(error, (errors.ProgrammingError, errors.OperationalError)):
        what, is_lacking, _ = str(error.raw_msg).partition(" not implemented.")
        if not is_lacking:
            return error
        message, number, state = f"Not emulated: {what}", 9999, "0A000"
    elif "cannot affect the same target row more than once" in str(error):
        message = "Duplicate row detected during DML action"
        number, state = 100090, "42P18"
    elif isinstance(error, duckdb.Error | ValueError | ReelhouseError):
        message, number, state = str(error), 100183, "P0000"
    elif isinstance(error, NotEmulated):
        message, number, state = f"Not emulated: {error}", 9999, "0A000"
    else:
        message = f"The emulator failed: {type(error).__name__}: {error}"
        number, state = 370001, "XX000"
    return errors.ProgrammingError(msg=message, errno=number, sqlstate=state)


def roll_back_failed(session: Session) -> None:
    """D10: Roll back a transaction when one of its statements fails.

    In stock fakesnow DuckDB refuses everything until a ROLLBACK, which dbt does not
    send, so the next nodes on that connection fail too. On Snowflake the transaction
    stays open, and its earlier statements can still be committed. Here it is rolled
    back, and a COMMIT of it is an error.
    """
    try:
        session.duck.execute("select 1")
    except duckdb.TransactionException:
        session.duck.rollback()
        session.was_rolled_back = session.in_transaction
        session.in_transaction = False


def refuse_ddl_in_transaction(session: Session, text: str) -> None:
    """D11: Refuse DDL in an open transaction, and ignore BEGIN inside one.

    Stock fakesnow runs DDL as part of the transaction, and fails at the second BEGIN.
    On Snowflake DDL is a transaction of its own and first commits the open one, even
    half done. Here the open one is rolled back, and a COMMIT of it is an error.
    """
    if matched(_DDL, text) and session.in_transaction:
        session.duck.rollback()
        session.was_rolled_back, session.in_transaction = True, False
        raise NotEmulated(
            "DDL in an open transaction, which Snowflake would commit before it"
        )


def transact(session: Session, text: str) -> str | None:
    """Run BEGIN, COMMIT and ROLLBACK as in D10 and D11; return None for the rest."""
    if matched(r"(?:begin|start)(?: work| transaction)?(?: name \w+)?", text):
        if not session.in_transaction:
            session.duck.begin()
    elif matched(r"commit(?: work)?", text):
        if session.was_rolled_back:
            session.was_rolled_back = False
            raise ValueError(
                "This transaction was rolled back when a statement of it failed; "
                "Snowflake would have committed the rest."
            )
        session.duck.commit()
    elif matched(r"rollback(?: work)?", text):
        with contextlib.suppress(duckdb.TransactionException):
            session.duck.rollback()
    else:
        return None
    session.in_transaction = not matched("(?:commit|rollback).*", text)
    session.was_rolled_back = False
    return DONE


def keep_no_result(session: Session) -> None:
    """D14: Do not keep results for RESULT_SCAN.

    Stock fakesnow keeps all results forever, which took 1.4 GB. Snowflake keeps them
    for a day. Here none is kept.
    """
    session.results_cache.clear()


def look_up_no_python_variable(duck: duckdb.DuckDBPyConnection) -> None:
    """D15: Do not look up a missing table among Python's variables.

    In stock fakesnow DuckDB uses a variable of the server with that name, if there is
    one. Snowflake reports that the table does not exist. So do we.
    """
    duck.execute("set global python_enable_replacements = false")


def open_no_file(duck: duckdb.DuckDBPyConnection) -> None:
    """D23: Let statements open no files except those that a client put on a stage.

    Stock fakesnow runs DuckDB's functions, including read_text of any file of its user,
    and opens a stage whose address is a folder. Snowflake has no such files. Here they
    cannot be opened: staged files lie in a folder of the emulator's own.
    """
    duck.execute("set global enable_external_access = false")


@contextmanager
def limit_time(session: Session) -> Iterator[None]:
    """D20: Stop a statement that takes too long, or that its client cancels.

    Stock fakesnow stops none. Snowflake stops them after two days, or after the
    session's STATEMENT_TIMEOUT_IN_SECONDS. Here the limit is at most five minutes,
    because a client waits no longer before it repeats its request.
    """
    seconds = session.statement_seconds
    reason = (
        f"Statement reached its statement or warehouse timeout of {seconds:g} "
        f"second(s) and was canceled."
    )
    session.stopped = None
    timer = threading.Timer(seconds, session.stop, [TIMEOUT, reason])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def remember_statement(session: Session, text: str) -> None:
    """D24: Record each statement as it was sent, in the table emulator.statements.

    Stock fakesnow forgets them. Snowflake has a query history, which includes their
    session and role; so does this table, which records logins too. Statements that
    name the table itself are left out.
    """
    if "emulator.statements" in text:
        return
    with session.account.ledger() as ledger:
        ledger.execute(
            "insert into _fs_global.emulator.statements values (?, ?, ?)",
            [session.number, session.role, text],
        )


def fail_as_told(account: Account, text: str) -> None:
    """D22: Fail a statement that matches a row of emulator.faults, with its error.

    Stock fakesnow has no warehouse that could be suspended, no login that could be
    refused and no stage that could be closed. Snowflake has, and reports them by an
    error number. Here a test inserts what should fail: `pattern`, a regular expression
    for the whole statement or for `login <user>`; number, state and message of the
    error; and how many `times`, or null for as long as the row exists. A statement
    that names the table itself never fails.
    """
    if "emulator.faults" in text:
        account.has_faults = True
    if "emulator.faults" in text or not account.has_faults:
        return
    with account.ledger() as ledger:
        told = ledger.execute(
            "select rowid, number, state, message, times "
            "from _fs_global.emulator.faults "
            "where regexp_full_match(?, pattern, 'is') and coalesce(times > 0, true) "
            "order by rowid limit 1",
            [text],
        ).fetchone()
        if not told:
            return
        row, number, state, message, times = told
        if times is not None:
            ledger.execute(
                "update _fs_global.emulator.faults set times = times - 1 "
                "where rowid = ?",
                [row],
            )
    raise errors.ProgrammingError(message, number, state)
