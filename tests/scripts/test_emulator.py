"""The emulated Snowflake: each deviation from fakesnow, over the real connector."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.delivery import client
from tests.emulated import Client, DatabaseError
from tests.project import PROJECT

from reelhouse.errors import ReelhouseError
from reelhouse.local.child import listens
from reelhouse.local.emulator import (
    EmulatorSettings,
    _child_environment,
    environment,
    refuse_real_account,
    serve_emulator,
)
from reelhouse.s3 import S3Settings

# `make test` covers a whole run on the emulator.
pytestmark = pytest.mark.long

FORMAT = (
    "file_format = (type = csv skip_header = 1 field_optionally_enclosed_by = '\"' "
    "null_if = () empty_field_as_null = false escape_unenclosed_field = none "
    "error_on_column_count_mismatch = false multi_line = false)"
)
DOCUMENT = PROJECT / "docs/emulator.md"

PARENT = """
import time
from reelhouse.local.emulator import serve_emulator
with serve_emulator() as settings:
    print(settings.port, flush=True)
    {then}
"""


@pytest.fixture
def settings(emulator: EmulatorSettings) -> EmulatorSettings:
    return emulator


@pytest.fixture
def database() -> str:
    return f"T{uuid.uuid4().hex}".upper()


@pytest.fixture
def sql(settings: EmulatorSettings, database: str) -> Iterator[Client]:
    session = Client(settings, database)
    yield session
    session.connection.close()


@pytest.fixture
def other(settings: EmulatorSettings, database: str) -> Iterator[Client]:
    """A second session in the same database."""
    session = Client(settings, database)
    yield session
    session.connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "create role if not exists loader",
        "create user ci type = service rsa_public_key = 'MII=' comment = 'a; b'",
        "create or replace warehouse small warehouse_size = xsmall auto_suspend = 60",
        "create storage integration s3 type = external_stage enabled = true",
        "create resource monitor spending with credit_quota = 5",
        "alter user ci set rsa_public_key_2 = 'MII='",
        "alter warehouse small suspend",
        "alter account set timezone = 'UTC'",
        "drop role if exists loader",
    ],
)
def test_d1_account_statements_are_accepted(sql: Client, statement: str) -> None:
    assert sql(f"/* why */ {statement} -- end\n;") == [
        ("Statement executed successfully.",)
    ]


def test_d2_everybody_may_do_everything(sql: Client) -> None:
    sql("create table open_to_all (a int)", "use role nobody")
    for statement in (
        "grant select on table open_to_all to database role readers",
        "grant select on future tables in schema public to role r",
        "revoke usage on schema public from database role readers",
        "grant role r to user u",
    ):
        assert sql(statement) == [("Statement executed successfully.",)]
    assert sql("select * from open_to_all") == []
    with sql.refuses("Not emulated: SHOW GRANTS"):
        sql("show grants on table open_to_all")


@pytest.fixture
def elsewhere(database: str) -> Iterator[Client]:
    """A session of an account whose defaults differ from Snowflake's."""
    with serve_emulator() as account:
        Client(account, database)(
            "alter account set timezone = 'America/Los_Angeles' "
            "timestamp_type_mapping = TIMESTAMP_LTZ"
        )
        session = Client(account, database)
        yield session
        session.connection.close()


def test_d3_an_account_has_defaults_of_its_own(elsewhere: Client) -> None:
    elsewhere(
        "create table t (a timestamp, b timestamp_ntz, c datetime)",
        "insert into t select '2026-01-01 12:00:00', '2026-01-01 12:00:00', "
        "'2026-01-01 12:00:00'",
    )
    kinds = elsewhere(
        "select data_type from information_schema.columns "
        "where table_name = 'T' order by ordinal_position"
    )
    assert kinds[0] != kinds[1] == kinds[2] == ("TIMESTAMP_NTZ",)
    ((local, ntz, datetime_),) = elsewhere("select * from t")
    assert local.astimezone(UTC).hour == 20
    assert ntz == datetime_ == datetime(2026, 1, 1, 12)


def test_d27_numbers_are_times_in_utc(elsewhere: Client) -> None:
    assert elsewhere(
        "select to_timestamp_ntz(cast('86400' as bigint), 0), "
        "to_timestamp_ntz(86400123456, 6), to_timestamp_ntz('1970-01-02 00:00:00')"
    ) == [
        (
            datetime(1970, 1, 2),
            datetime(1970, 1, 2, 0, 0, 0, 123456),
            datetime(1970, 1, 2),
        )
    ]


@pytest.mark.parametrize(
    ("parameters", "pattern"),
    [
        (
            {"TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_TZ"},
            "TIMESTAMP_TYPE_MAPPING = TIMESTAMP_TZ",
        ),
        ({"AUTOCOMMIT": False}, "AUTOCOMMIT = FALSE"),
        ({"AUTOCOMMIT": "false"}, "AUTOCOMMIT = FALSE"),
    ],
)
def test_d3_other_ways_of_a_session_are_refused(
    settings: EmulatorSettings,
    database: str,
    parameters: dict[str, Any],
    pattern: str,
) -> None:
    with pytest.raises(DatabaseError, match=f"Not emulated: {pattern}"):
        Client(settings, database, session_parameters=parameters)


@pytest.mark.parametrize(
    "statement",
    [
        "alter session set query_tag = 'mine'",
        "alter session set autocommit = false",
        "show parameters like 'query_tag'",
    ],
)
def test_d3_parameters_come_with_the_login(sql: Client, statement: str) -> None:
    with sql.refuses("Not emulated"):
        sql(statement)


def test_d4_comments_on_columns_can_be_read_back(sql: Client) -> None:
    sql("create table t (a int comment 'first', b int, \"c c\" int)")
    sql("create view v (x comment $$it's one$$, y comment 'two') as select 1, 2")
    sql('alter table t alter "B" comment $$b; it\'s, $b$$, "c c" comment $$$$;')

    def comments(table: str) -> list[tuple[Any, ...]]:
        return sql(
            "select column_name, comment from information_schema.columns "
            f"where table_name = '{table}' order by ordinal_position"
        )

    assert comments("T") == [("A", "first"), ("B", "b; it's, $b"), ("c c", "")]
    assert comments("V") == [("X", "it's one"), ("Y", "two")]


def test_d5_temporary_tables_are_ordinary_until_the_session_ends(
    settings: EmulatorSettings, database: str, other: Client
) -> None:
    sql = Client(settings, database)
    for _ in range(2):
        sql("create or replace temporary table public.t as (select 7 as a)")
        sql("create or replace temporary view public.v as (select a from public.t)")
    assert other("select * from public.v") == [(7,)]
    sql.connection.close()
    with other.refuses("does not exist"):
        other("select * from public.t")
    with other.refuses("does not exist"):
        other("select * from public.v")


def test_d5_no_temporary_table_hides_another(sql: Client) -> None:
    sql("create table t as select 1 as a")
    with sql.refuses(r"Not emulated: a temporary TABLE that hides \w+\.PUBLIC\.T"):
        sql("create or replace temporary table t as select 2 as a")
    assert sql("select * from t") == [(1,)]


@pytest.mark.parametrize(
    ("statement", "pattern"),
    [
        ("select 1 +", "001003"),
        ("select 'open", "."),
        ("select * from no_such_table", "002003"),
        ("select no_such_function(1)", "no_such_function"),
        ("select to_number('1', '9')", "Not emulated"),
        ("copy into t from 's3://bucket/key'", "."),
        ("grant whatever", "."),
        ("alter schema public swap with nowhere", "Schema .* does not exist"),
        ("select interval '1 day'", "."),
        ("call nothing()", "."),
    ],
)
def test_d6_every_error_is_an_sql_error(
    sql: Client, statement: str, pattern: str
) -> None:
    began = time.monotonic()
    with sql.refuses(pattern):
        sql(statement)
    # The connector would otherwise retry until its network timeout, a minute later.
    assert time.monotonic() - began < 30
    assert sql("select 1") == [(1,)]


def test_d6_an_ended_session_is_told_so(settings: EmulatorSettings) -> None:
    import requests

    answer = requests.post(
        f"http://127.0.0.1:{settings.port}/queries/v1/query-request",
        json={"sqlText": "select 1"},
        timeout=60,
    )
    assert (answer.status_code, answer.json()["success"]) == (200, False)
    assert "log in again" in answer.json()["message"]


MERGE = """
merge into public.target as dbt_internal_dest
using public.source as dbt_internal_source
on (dbt_internal_source.id = dbt_internal_dest.id)
when matched and dbt_internal_source.gone then delete
when matched then update set "NAME" = dbt_internal_source."NAME"
when not matched then insert ("ID", "NAME")
values (dbt_internal_source."ID", dbt_internal_source."NAME")
"""


def test_d7_merge(sql: Client) -> None:
    sql("create table target as select 1 as id, 'a' as name")
    sql("insert into target values (2, 'b'), (3, 'c')")
    sql("create table source as select 1 as id, 'A' as name, false as gone")
    sql("insert into source values (2, null, true), (4, 'D', false), (5, 'E', false)")
    cursor = sql.connection.cursor()
    cursor.execute(MERGE)
    assert [column.name for column in cursor.description] == [
        "number of rows inserted",
        "number of rows updated",
        "number of rows deleted",
    ]
    assert (cursor.fetchall(), cursor.rowcount) == ([(2, 1, 1)], 4)
    assert sql("select * from target order by id") == [
        (1, "A"),
        (3, "c"),
        (4, "D"),
        (5, "E"),
    ]


def test_d7_merge_refuses_two_rows_for_one(sql: Client) -> None:
    sql("create table target as select 1 as id, 'a' as name")
    sql("create table source as select 1 as id, 'A' as name, false as gone")
    sql("insert into source values (1, 'B', false)")
    with sql.refuses("100090.*Duplicate row"):
        sql(MERGE)
    assert sql("select * from target") == [(1, "a")]


def test_d8_comments_on_tables_may_hold_anything(sql: Client) -> None:
    sql("create transient table a (x int)", "create table b (x int) comment = $$it's$$")
    sql("create view c as select 1 as x", "comment on view c is $$it's 'c'; -- $ c$$")
    shown = sql("select table_name, comment from information_schema.tables order by 1")
    assert shown == [("A", None), ("B", "it's")]
    sql("create or replace transient table b (x int)")
    shown = sql("select table_name, comment from information_schema.tables order by 1")
    assert shown == [("A", None), ("B", None)]


# Texts that must arrive unchanged, one field each.
TEXTS = [
    "007",
    "",
    " padded ",
    'say "hi", he said',
    "naïve\u00a0space – ş İ ς",
    "back\\slash",
    "\\N",
    "NULL",
    "3.50",
    "true",
    "1e5",
    "2020-01-01",
    "O'Neil; --",
]


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def enclosed(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@pytest.fixture
def folder(bucket: str, sql: Client) -> str:
    """An empty folder of a bucket, with the stage @outside on it."""
    sql(f"create stage outside url = 's3://{bucket}/folder' storage_integration = s3")
    return bucket


def put(s3: S3Settings, bucket: str, key: str, text: str) -> None:
    client(s3).put_object(Bucket=bucket, Key=f"folder/{key}", Body=text.encode())


@pytest.fixture(params=["external", "internal"])
def deliver(
    request: pytest.FixtureRequest, s3_server: S3Settings, tmp_path: Path, sql: Client
) -> Any:
    """A function that puts a file on a stage and returns the stage's name."""
    if request.param == "external":
        bucket = request.getfixturevalue("folder")

        def upload(key: str, text: str) -> str:
            put(s3_server, bucket, key, text)
            return "@outside"

        return upload
    sql("create stage inside")

    def put_file(key: str, text: str) -> str:
        path = tmp_path / Path(key).name
        path.write_bytes(text.encode())
        folder = str(Path(key).parent) if "/" in key else ""
        sql(
            f"put {quoted(f'file://{path}')} @inside/{folder} auto_compress = false "
            f"overwrite = true"
        )
        return "@inside"

    return put_file


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_d9_text_arrives_as_it_is(sql: Client, deliver: Any, line_end: str) -> None:
    lines = [f"{number},{enclosed(text)}" for number, text in enumerate(TEXTS)]
    plain = [text for text in TEXTS if not re.search('[",\n]', text)]
    lines += [f"{100 + number},{text}" for number, text in enumerate(plain)]
    stage = deliver("texts.csv", line_end.join(["a,b", *lines]) + line_end)
    sql("create table t (number int, text varchar)")
    status = sql(f"copy into t from (select $1, $2 from {stage}) {named('texts.csv')}")
    assert status[0][1:4] == ("LOADED", len(lines), len(lines))
    assert sql("select number, text from t order by number") == [
        *enumerate(TEXTS),
        *enumerate(plain, 100),
    ]


def named(*files: str, options: str = "") -> str:
    """Return the options that follow the SELECT of a COPY."""
    return f"files = ({', '.join(map(quoted, files))}) {FORMAT} force = true {options}"


def test_d9_keys_are_no_patterns(
    sql: Client, s3_server: S3Settings, folder: str
) -> None:
    put(s3_server, folder, "[a]*?.csv", "h\n1\n")
    put(s3_server, folder, "a2.csv", "h\n2\n")
    sql("create table t (a int)")
    sql(f"copy into t from (select $1 from @outside) {named('[a]*?.csv')}")
    assert sql("select * from t") == [(1,)]


def test_d9_a_copy_takes_part_in_its_transaction(sql: Client, deliver: Any) -> None:
    stage = deliver("a.csv", "h\n1\n")
    copy = f"copy into t from (select $1 from {stage}) {named('a.csv')}"
    sql("create table t (a int)", "begin", copy)
    assert sql("select * from t") == [(1,)]
    sql("rollback")
    assert sql("select * from t") == []


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("h\n1\nx\n", "x"),
        ('h\n"1\n', "Unbalanced quote"),
        ('h\n"1"2\n', "text behind the closing one, in record 2"),
    ],
)
def test_d9_a_bad_file_loads_nothing(
    sql: Client, deliver: Any, text: str, pattern: str
) -> None:
    deliver("1.csv", "h\n0\n")
    stage = deliver("2.csv", text)
    sql("create table t (a int)")
    with sql.refuses(pattern):
        sql(f"copy into t from (select $1 from {stage}) {named('1.csv', '2.csv')}")
    assert sql("select * from t") == []


def test_d9_bytes_that_are_no_text(
    sql: Client, s3_server: S3Settings, folder: str
) -> None:
    client(s3_server).put_object(
        Bucket=folder, Key="folder/a.csv", Body=b"h\n\xff\xfe\n"
    )
    sql("create table t (a varchar)")
    with sql.refuses("Invalid UTF8"):
        sql(f"copy into t from (select $1 from @outside) {named('a.csv')}")


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (named("none.csv"), "Remote file .*none.csv' was not found"),
        (named("a.csv", options="pattern = '.*'"), "Not emulated: pattern"),
        (named("a.csv", options="on_error = continue"), "Not emulated: on_error"),
        (named("a.csv").replace("csv s", "json s"), "Not emulated: .* TYPE"),
        (named("a.csv").replace("csv s", "csv trim_space = true s"), "TRIM_SPACE"),
        (named("a.csv").replace("null_if = ()", ""), "Not emulated: .* NULL_IF"),
        (named("a.csv").replace("force = true", ""), "without FILES and FORCE"),
        (f"{FORMAT} force = true", "without FILES and FORCE"),
        ("files = ('a.csv') force = true", "Not emulated: the file format option"),
    ],
)
def test_d9_the_rest_of_copy_is_refused(
    sql: Client, deliver: Any, options: str, pattern: str
) -> None:
    stage = deliver("a.csv", "h\n1\n")
    sql("create table t (a int)")
    with sql.refuses(pattern):
        sql(f"copy into t from (select $1 from {stage}) {options}")
    with sql.refuses("Not emulated: a COPY without a SELECT"):
        sql(f"copy into t from {stage} {named('a.csv')}")


def test_d9_without_an_endpoint_there_is_no_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    assert "canary" not in _child_environment(os.environ).values()


def test_d9_compressed_files_and_purge(sql: Client, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("h\n1\n")
    sql("create stage inside", "create table t (a int)")
    sql(f"put 'file://{path}' @inside/deep/")
    assert sql("list @inside")[0][0] == "inside/deep/a.csv.gz"
    options = named("a.csv.gz", options="purge = true")
    sql(f"copy into t from (select $1 from @inside/deep/) {options}")
    assert (sql("select * from t"), sql("list @inside")) == ([(1,)], [])


def test_d9_a_record_is_a_line(sql: Client, deliver: Any) -> None:
    stage = deliver("a.csv", 'h\n"two\nlines"\n')
    sql("create table t (a varchar)")
    copy = f"copy into t from (select $1 from {stage}) {named('a.csv')}"
    with sql.refuses("Unbalanced quote"):
        sql(copy)
    with sql.refuses("Not emulated: the file format option MULTI_LINE = True"):
        sql(copy.replace("multi_line = false", "multi_line = true"))


def test_d9c_a_folder_of_a_stage_is_removed(sql: Client, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("h\n1\n")
    sql("create stage inside", f"put 'file://{path}' @inside/one/")
    sql(f"put 'file://{path}' @inside/two/")
    assert sql("remove @inside/one/") == [("inside/one/a.csv.gz", "removed")]
    assert [row[0] for row in sql("list @inside")] == ["inside/two/a.csv.gz"]


LANDING = """
copy into landing (c1, c2, c3, number)
from (
    select t.$1, $2, $3, metadata$file_row_number
    from {stage}/in/ as t
)
files = ({files})
{format}
force = true
on_error = 'ABORT_STATEMENT'
"""


def test_d9b_a_copy_that_selects_columns(sql: Client, deliver: Any) -> None:
    texts = [text for text in TEXTS if text != "3.50"]
    lines = [f"{number},{enclosed(text)}" for number, text in enumerate(texts)]
    deliver("in/texts.csv", "\r\n".join(["h,i", *lines]))
    stage = deliver("in/odd.csv", "h,i\nshort\n1,2,3,4,5\n\n")
    sql("create table landing (c1 varchar, c2 varchar, c3 varchar, number int)")
    copy = LANDING.format(stage=stage, files="'odd.csv', 'texts.csv'", format=FORMAT)
    for _ in range(2):
        sql("begin", "truncate table landing", copy, "commit")
        assert sql("select * from landing order by c3 is null, c1, number") == [
            ("1", "2", "3", 2),
            ("", None, None, 3),
            *sorted(
                (str(number), text, None, number + 1)
                for number, text in enumerate(texts)
            ),
            ("short", None, None, 1),
        ]


@pytest.mark.parametrize(
    "values", ["upper($1)", "*", "$1 where $1 = 'a'", "t.a", "metadata$filename"]
)
def test_d9b_other_selects_are_refused(sql: Client, deliver: Any, values: str) -> None:
    stage = deliver("a.csv", "h\na\n")
    sql("create table t (a varchar)")
    head, _, condition = values.partition(" ")
    with sql.refuses("Not emulated"):
        sql(f"copy into t from (select {head} from {stage} {condition}) {named('a')}")


def test_d10_a_failed_statement_ends_its_transaction(sql: Client) -> None:
    sql("create table t (a int)", "begin", "insert into t values (1)")
    with sql.refuses("."):
        sql("insert into t values ('x')")
    assert sql("select * from t") == []
    with sql.refuses("was rolled back when a statement of it failed"):
        sql("commit")
    sql("begin", "insert into t values (2)", "commit")
    assert sql("select * from t") == [(2,)]


def test_d10_the_next_user_of_the_connection_is_not_harmed(sql: Client) -> None:
    sql("create table t (a int)", "begin", "insert into t values (1)")
    with sql.refuses("."):
        sql("insert into no_such_table values (1)")
    # dbt continues with the next node without sending ROLLBACK.
    sql("create or replace table u as select 1 as a", "begin", "commit")
    assert sql("select (select count(*) from t), (select count(*) from u)") == [(0, 1)]


@pytest.mark.parametrize(
    "ddl",
    [
        "create table other (a int)",
        "alter table t add column b int",
        "drop view if exists nothing",
        "comment on table t is 'x'",
        "grant select on table t to role r",
        "create stage s",
        # The connector sends it for many bound values.
        "create or replace temporary stage SYSTEMBIND file_format=(type=csv)",
    ],
)
def test_d11_ddl_in_a_transaction_is_refused(sql: Client, ddl: str) -> None:
    sql("create table t (a int)", "begin", "insert into t values (1)")
    with sql.refuses("Not emulated: DDL in an open transaction"):
        sql(ddl)
    with sql.refuses("was rolled back"):
        sql("commit")
    assert sql(ddl, "begin", "commit", "select a from t") == []


def test_d11_a_second_begin_is_nothing(sql: Client, other: Client) -> None:
    sql("create table t (a int)", "begin transaction", "insert into t values (1)")
    sql("begin", "insert into t values (2)")
    assert other("select * from t") == []
    sql("rollback")
    assert sql("select * from t") == []
    sql("rollback", "commit")


def test_d12_clone(sql: Client) -> None:
    sql(
        "create table source (a int not null comment 'it''s', b varchar(5)) comment='s'"
    )
    sql("insert into source values (1, 'x')")
    sql("create transient table plain clone source")
    assert sql("select * from plain") == [(1, "x")]
    with sql.refuses("."):
        sql("create or replace table granted clone source copy grants")
    with sql.refuses("NOT NULL"):
        sql("insert into plain values (null, 'y')")
    assert [row[:4] for row in sql("describe table plain")] == [
        ("A", "NUMBER(38,0)", "COLUMN", "N"),
        ("B", "VARCHAR(5)", "COLUMN", "Y"),
    ]
    assert sql(
        "select table_name, comment from information_schema.tables order by 1"
    ) == [("PLAIN", "s"), ("SOURCE", "s")]
    assert sql(
        "select comment from information_schema.columns "
        "where table_name = 'PLAIN' and column_name = 'A'"
    ) == [("it's",)]
    sql("insert into source values (2, 'y')")
    assert sql("select count(*) from plain") == [(1,)]


def test_d12_no_transient_table_becomes_permanent(sql: Client) -> None:
    def kinds() -> list[tuple[str, ...]]:
        return sql(
            "select table_name, is_transient from information_schema.tables order by 1"
        )

    sql("create transient table brief as select 1 as a", "create table kept (a int)")
    assert kinds() == [("BRIEF", "YES"), ("KEPT", "NO")]
    with sql.refuses("Transient object cannot be cloned to a permanent"):
        sql("create or replace table kept clone brief")
    sql("create or replace transient table kept clone brief")
    assert kinds() == [("BRIEF", "YES"), ("KEPT", "YES")]
    sql("create or replace table kept (a int)", "drop table brief")
    sql("create table brief clone kept")
    assert kinds() == [("BRIEF", "NO"), ("KEPT", "NO")]


def test_d12_a_table_is_replaced_where_that_is_said(sql: Client) -> None:
    sql("create table source (a int)", "create table target (b int)")
    sql("create or replace table target clone source")
    with sql.refuses("already exists"):
        sql("create table target clone source")
    with sql.refuses("does not exist"):
        sql("create table another clone nothing")


def test_d13_swap(sql: Client, other: Client) -> None:
    for number, schema in enumerate(["serving", "serving_next"]):
        sql(f"create schema {schema}")
        sql(f"create table {schema}.t (a int not null comment 'a{number}')")
        sql(f"insert into {schema}.t values ({number})")
        sql(f"comment on table {schema}.t is 'version {number}'")
        sql(f"create view {schema}.v as select a from {schema}.t")
    sql("create table serving_next.more as select 1 as x")
    sql("alter schema serving_next swap with serving")
    assert other("select * from serving.t") == [(1,)]
    assert other("select * from serving_next.t") == [(0,)]
    assert other("select * from serving.more") == [(1,)]
    # A view keeps its text, so it reads what is now in the other schema.
    assert other("select * from serving.v") == [(0,)]
    assert sql(
        "select table_schema, comment from information_schema.tables "
        "where table_name = 'T' order by 1"
    ) == [("SERVING", "version 1"), ("SERVING_NEXT", "version 0")]
    assert sql(
        "select table_schema, comment from information_schema.columns "
        "where table_name = 'T' order by 1"
    ) == [("SERVING", "a1"), ("SERVING_NEXT", "a0")]
    with sql.refuses("NOT NULL"):
        sql("insert into serving.t values (null)")
    sql("alter schema serving_next swap with serving")
    assert sql("select * from serving.t") == [(0,)]


def test_d14_no_result_is_kept(sql: Client) -> None:
    cursor = sql.connection.cursor()
    cursor.execute("select 42 as a")
    with sql.refuses("not found"):
        sql(f"select * from table(result_scan('{cursor.sfqid}'))")


@pytest.mark.parametrize("name", ["session", "sql", "params", "transformed"])
def test_d15_no_variable_of_the_server_is_a_table(sql: Client, name: str) -> None:
    with sql.refuses("002003.*does not exist"):
        sql(f'select * from "{name}"')


def test_d16_sums_are_exact(sql: Client) -> None:
    sql("create table t (a int, b decimal(10, 2), c double)")
    sql("insert into t values (9007199254740993, 0.1, 0.5), (9007199254740993, 0.2, 1)")
    question = "select sum(a) as a, sum(b) as b, sum(c) as c from t"
    assert sql(question) == [(18014398509481986, Decimal("0.30"), 1.5)]
    assert sql.types(question) == ["FIXED", "FIXED", "REAL"]


def test_d17_schemas_and_databases_with_properties(sql: Client, database: str) -> None:
    statement = "create schema if not exists s with managed access comment = 'x'"
    sql(statement, statement, "create table s.t (a int)")
    sql(f"create database if not exists {database}_2 data_retention_time_in_days = 1")
    sql(f"create schema {database}_2.s", f"create table {database}_2.s.t (a int)")
    for kind, name in (("schema", "s"), ("database", database)):
        with sql.refuses(f"Not emulated: create {kind} other clone"):
            sql(f"create {kind} other clone {name}")


def test_d18_trim_takes_characters(sql: Client) -> None:
    text = "chr(9) || 'xay ' || chr(160)"
    assert sql(
        f"select trim({text}, chr(9) || ' x' || chr(160)), rtrim({text}, chr(160)), "
        f"trim('  a  '), trim(12, '1')"
    ) == [("ay", "\txay ", "a", "2")]


def test_d19_null_timestamps_stay_null(sql: Client) -> None:
    sql("create table t (number int, moment timestamp_ntz)")
    sql("insert into t values (1, null), (2, '1969-12-31 23:59:59.25')")
    sql("insert into t values (3, '2026-01-02 03:04:05.678901')")
    assert sql("select * from t order by number") == [
        (1, None),
        (2, datetime(1969, 12, 31, 23, 59, 59, 250000)),
        (3, datetime(2026, 1, 2, 3, 4, 5, 678901)),
    ]
    assert sql("select moment from t where number = 1") == [(None,)]
    assert sql("select moment from t where false") == []
    zoned = "'2026-01-02 03:04:05.5 +00:00'::timestamp_tz"
    ((moment, nothing),) = sql(f"select {zoned}, null::timestamp_tz")
    assert moment.astimezone(UTC) == datetime(2026, 1, 2, 3, 4, 5, 500000, tzinfo=UTC)
    assert nothing is None


LONG = "select count(*) from numbers a, numbers b, numbers c"


@pytest.fixture
def numbers(sql: Client) -> None:
    sql("create table numbers as select column1 as n from values (1), (2), (3), (4)")
    for _ in range(7):
        sql("insert into numbers select n from numbers")
    sql("insert into numbers select a.n from numbers a, numbers b limit 100000")


@pytest.mark.usefixtures("numbers")
def test_d20_a_statement_that_takes_too_long_is_stopped(
    settings: EmulatorSettings, database: str
) -> None:
    limit = {"STATEMENT_TIMEOUT_IN_SECONDS": 1}
    sql = Client(settings, database, session_parameters=limit)
    with sql.refuses(r"000630 \(57014\).*timeout of 1 second\(s\)"):
        sql(LONG)
    assert sql("select 1") == [(1,)]
    sql.connection.close()


@pytest.mark.usefixtures("numbers")
def test_d20_a_client_can_cancel(sql: Client, other: Client) -> None:
    with sql.refuses("000604"):
        sql(LONG, timeout=1)
    assert sql("select 1") == [(1,)]
    # The cancelled statement blocks no other session.
    other("drop table numbers")


def test_d21_a_dollar_in_a_text_is_a_dollar(sql: Client) -> None:
    assert sql("select 'pay $ale', ' $1'") == [("pay $ale", " $1")]
    with sql.refuses("Not emulated: SET ALE = 5"):
        sql("set ale = 5")


def test_d22_a_statement_fails_as_told(sql: Client, other: Client) -> None:
    table = f"T{uuid.uuid4().hex}"
    other(
        f"insert into emulator.faults values ('insert .*{table}.*', 606, '57P03', "
        "'No active warehouse selected in the current session.', 1)"
    )
    sql(f"create table {table} (a int)", "begin")
    with sql.refuses(r"000606 \(57P03\).*No active warehouse"):
        sql(f"insert into {table} select 1")
    # It fails only once, as told, and has not ended the transaction.
    sql(f"insert into {table} select 2", "commit")
    assert other(f"select a from {table}") == [(2,)]


def test_d22_a_login_fails_as_told(
    settings: EmulatorSettings, sql: Client, database: str
) -> None:
    sql(
        "insert into emulator.faults values ('login REFUSED', 390144, '08004', "
        "'JWT token is invalid.', null)"
    )
    for _ in range(2):
        with pytest.raises(DatabaseError, match=r"Failed to connect.*JWT token is inv"):
            Client(settings, database, user="REFUSED")
    sql("delete from emulator.faults where pattern = 'login REFUSED'")
    Client(settings, database, user="REFUSED").connection.close()


@pytest.mark.fault("25")
def test_d23_no_statement_opens_a_file(sql: Client, tmp_path: Path) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text("a\nsecret\n")
    for statements in (
        (f"select content from read_text('{kept}')",),
        (f"select * from '{kept}'",),
        (f"create table public.t1 as select * from read_csv('{kept}')",),
        (f"attach '{tmp_path}/new.duckdb' as other",),
        (f"copy (select 1) to '{tmp_path}/out.csv'",),
        ("set enable_external_access = true", f"select * from read_text('{kept}')"),
    ):
        with pytest.raises(DatabaseError):
            sql(*statements)
    sql("create or replace table public.t (a varchar)", "create stage public.s")
    sql(f"put 'file://{kept}' @public.s auto_compress = false")

    def copy(stage: str, name: str) -> None:
        sql(
            f"copy into public.t (a) from (select $1 from '@{stage}/') "
            f"files = ('{name}') force = true file_format = (type = csv "
            "field_optionally_enclosed_by = '\"' escape_unenclosed_field = none "
            "null_if = () skip_header = 1 empty_field_as_null = false "
            "error_on_column_count_mismatch = false multi_line = false)"
        )

    copy("public.s", "kept.csv")
    for number, url in enumerate((f"file://{tmp_path}/", f"{tmp_path}/")):
        sql(f"create stage public.f{number} url = '{url}'")
        with pytest.raises(DatabaseError):
            copy(f"public.f{number}", "kept.csv")
    up = "../" * 12 + str(kept).lstrip("/")
    for name in (str(kept), up):
        with pytest.raises(DatabaseError, match="was not found"):
            copy("public.s", name)
    assert sql("select a from public.t") == [("secret",)]
    assert {path.name for path in tmp_path.iterdir()} == {"kept.csv"}


def test_d24_statements_are_remembered(sql: Client) -> None:
    sql("select 'd24'  as remembered -- why")
    (found,) = sql(
        "select role, text from emulator.statements where text like '%remembered%'"
    )
    assert found == ("emulator", "select 'd24'  as remembered -- why")


def test_d25_a_view_shows_the_text_that_was_sent(sql: Client) -> None:
    sent = "create or replace view public.v (a)\n as ( -- it's\n select 1 as a )"
    sql(sent, "create schema other", "alter schema public swap with other")
    assert sql(
        "select table_schema, view_definition from information_schema.views"
    ) == [("OTHER", sent)]


def test_d26_a_text_is_no_longer_than_its_column(sql: Client) -> None:
    sql(
        "create table declared (a varchar(3), b varchar)",
        "create table made as with one as (select 'False' as flag, 'x' || 1 as free) "
        "select case when flag = 'True' then 'abc' else flag end as flag, free, "
        "cast(free as varchar(2)) as two from one union all select 'abcdef', 'y', null",
        "insert into declared select 'abc', 'much longer'",
        "insert into made select 'abcdef', 'much longer', 'xy'",
    )
    for change in (
        "insert into declared select 'abcd', ''",
        "update declared set a = 'abcd'",
        "insert into made select 'abcdefg', '', ''",
        "insert into made (two) values ('xyz')",
        "merge into declared using made on declared.a = made.flag "
        "when not matched then insert (a) values (made.flag)",
    ):
        with sql.refuses("is too long and would be truncated"):
            sql(change)
    assert sql("select a from declared") == [("abc",)]
    sql("create table copied clone made", "create schema s", "use schema s")
    with sql.refuses("VARCHAR\\(6\\)"):
        sql("insert into public.copied (flag) values ('1234567')")


def test_every_deviation_is_listed_and_tested() -> None:
    described: dict[str, tuple[str, str]] = {}
    for path in (PROJECT / "scripts/reelhouse/local/emulator").glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            text = ast.get_docstring(node) or ""
            if found := re.match(r"(D\d+[bc]?): (.*)", text, re.DOTALL):
                assert found[1] not in described
                described[found[1]] = node.name, " ".join(found[2].split())
    listed = re.findall(
        r"^\| (D\d+[bc]?) \| `(\w+)` \|",
        DOCUMENT.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert listed == [
        (number, described[number][0])
        for number in sorted(described, key=lambda d: (int(d[1:].rstrip("bc")), d))
    ]
    for number, name in listed:
        assert re.search("tock fakesnow .*Snowflake ", described[number][1]), name
        assert any(test.startswith(f"test_{number.lower()}_") for test in globals()), (
            number
        )


def test_values_bound_by_the_server(settings: EmulatorSettings, database: str) -> None:
    sql = Client(settings, database, paramstyle="qmark")
    sql("create table t (a int, b varchar, c double, d timestamp_ntz, e boolean)")
    rows = [
        (1, "it's $x", 1.5, datetime(2026, 1, 2, 3, 4, 5, 6), True),
        (2, None, None, datetime(2026, 1, 2), None),
    ]
    cursor = sql.connection.cursor()
    insert = "insert into t values (?, ?, ?, ?, ?)"
    for row in rows:
        cursor.execute(insert, row)
        assert cursor.rowcount == 1
    with sql.refuses("Not emulated: values for several rows"):
        cursor.executemany(insert, rows)
    assert sql("select * from t where a < ? order by a", params=[3]) == rows
    sql.connection.close()


def test_values_bound_by_the_client(sql: Client) -> None:
    sql("create table t (a int, b varchar)")
    texts = [(number, text) for number, text in enumerate(TEXTS)]
    sql.connection.cursor().executemany("insert into t values (%s, %s)", texts)
    assert sql("select * from t order by a") == texts


def test_describing_a_statement_does_not_run_it(sql: Client) -> None:
    sql("create table t (a int)")
    cursor = sql.connection.cursor()
    with sql.refuses("Not emulated: to describe a statement without running it"):
        cursor.describe("insert into t values (1)")
    assert sql("select * from t") == []


def test_sessions_run_side_by_side(settings: EmulatorSettings, database: str) -> None:
    """Four sessions create tables in one schema at once, as the threads of dbt do."""
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            sql = Client(settings, database)
            for turn in range(10):
                sql("create schema if not exists public")
                sql(f"create or replace table public.t{number} as select {turn} as a")
                sql(f"comment on table public.t{number} is 'turn {turn}'")
                assert sql(f"select * from public.t{number}") == [(turn,)]
            sql.connection.close()
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_the_environment_outranks_a_real_account() -> None:
    given = environment(EmulatorSettings(port=1234, private_key="secret"))
    assert given["SNOWFLAKE_HOST"] == "127.0.0.1"
    assert given["SNOWFLAKE_PORT"] == "1234"
    profile = (PROJECT / "profiles.yml").read_text(encoding="utf-8")
    names = set(re.findall(r"env_var\('(SNOWFLAKE_\w+)'", profile))
    # A query tag cannot lead to another account.
    assert names - {"SNOWFLAKE_QUERY_TAG"} == {
        name for name in given if name.startswith("SNOWFLAKE_")
    }
    assert "secret" not in repr(EmulatorSettings(port=1234, private_key="secret"))


@pytest.mark.parametrize(
    "host", ["account.snowflakecomputing.com", "10.0.0.1", "0.0.0.0", ""]
)
def test_a_real_account_is_refused(host: str) -> None:
    settings = EmulatorSettings(port=1, private_key="", host=host)
    with pytest.raises(ReelhouseError, match="is not on this machine"):
        environment(settings)
    refuse_real_account("localhost")
    refuse_real_account("::1")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_parent_and_leaves_nothing(
    tmp_path: Path, how: signal.Signals
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(then="time.sleep(60)")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        start_new_session=True,
    )
    assert parent.stdout is not None
    port = int(parent.stdout.readline())
    assert listens(port)
    os.killpg(parent.pid, how)
    parent.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while (listens(port) or any(tmp_path.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not listens(port)
    assert list(tmp_path.iterdir()) == []


def test_it_prints_nothing() -> None:
    child = subprocess.run(
        [sys.executable, "-c", PARENT.format(then="pass")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert child.stderr == ""
    assert child.stdout.strip().isdigit()
