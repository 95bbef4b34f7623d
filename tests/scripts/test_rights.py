"""Who may do what: questions, and the servers on this machine.

SECURITY.md names these tests.
"""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import duckdb
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from snowflake.connector.errors import DatabaseError
from tests.delivery import client
from tests.emulated import Client

from reelhouse.engines import warehouse
from reelhouse.engines.duckdb import reading as duckdb_reading
from reelhouse.engines.duckdb.reading import check_question, reading
from reelhouse.engines.snowflake.reading import check_question as check_for_account
from reelhouse.engines.warehouse import CannotAnswer
from reelhouse.errors import ReelhouseError
from reelhouse.local.emulator import EmulatorSettings
from reelhouse.s3 import S3Settings, list_objects

# --- Questions

NO_SELECTS = (
    "",
    "select 1; select 2",
    "delete from dim_movies",
    "create table mine as select 1",
    "copy dim_movies to 'out.csv'",
    "copy (select 1) to '.tmp/out.csv'",
    "export database '.tmp'",
    "attach 'other.duckdb'",
    "explain analyze copy (select 1) to 'out.csv'",
    "pragma database_list",
    "checkpoint",
    "call duckdb_settings()",
    "set memory_limit = '1TB'",
    "install httpfs",
    "load httpfs",
    "prepare mine as select 1",
    "begin",
    "use memory",
)
FILES = (
    "select * from read_text('{file}')",
    "select * from read_csv('{file}')",
    "select * from '{file}'",
    "select * from glob('{folder}/*')",
    "select * from read_text('.tmp/kept')",
    "select * from query('from read_text(''{file}'')')",
    "select (select content from read_text('{file}'))",
    "with kept as (from read_blob('{file}')) from kept",
    "from duckdb_secrets()",
)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rights") / "published.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema serving")
        connection.execute("create table serving.dim_movies as select 1 as movie_id")
    return path


@pytest.mark.fault("25")
@pytest.mark.parametrize("question", NO_SELECTS)
def test_a_question_is_one_select(question: str) -> None:
    for check in (check_question, check_for_account):
        with pytest.raises(ReelhouseError):
            check(question)


@pytest.mark.fault("25")
@pytest.mark.parametrize("question", FILES)
def test_a_question_opens_no_file(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    # The folder where DuckDB stores what does not fit into memory.
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".tmp").mkdir()
    for name in ("kept", ".tmp/kept"):
        (tmp_path / name).write_text("secret\nvalue\n")
    asked = question.format(file=tmp_path / "kept", folder=tmp_path)
    with pytest.raises(CannotAnswer), reading(published) as answer:
        answer(asked)
    with pytest.raises(ReelhouseError):
        check_for_account(asked)


@pytest.mark.parametrize(
    "question",
    [
        "select * from raw.ratings",
        'select * from "RAW".ratings',
        "select (select max(rating) from raw.ratings)",
        "select * from dim_movies where movie_id in (select movie_id from raw.movies)",
        "with raw as (select 1) select * from state.nodes",
        "select $1 from @raw.bucket/ratings.csv",
        "select * from @~",
        "select * from table(result_scan(last_query_id()))",
        "select * from table(infer_schema(location => '@raw.bucket'))",
        "select * from identifier('raw.ratings')",
        "select * from table('raw.ratings')",
        "select system$cancel_all_queries(1)",
        "select get_ddl('table', 'raw.ratings')",
        "select * from table(raw.rows_of('ratings'))",
        "select * from table(movielens.information_schema.query_history())",
        "select snowflake.cortex.complete('a model', 'a text')",
        "select raw.sent(title) from dim_movies",
        "select ai_parse_document(to_file('@raw.bucket', 'ratings.csv'))",
        "select get_presigned_url(@raw.bucket, 'ratings.csv')",
        "select * into mine from dim_movies",
        "with gone as (delete from dim_movies returning 1) select * from gone",
    ],
)
def test_a_question_to_an_account_reads_what_is_published(question: str) -> None:
    with pytest.raises(ReelhouseError, match=r"\.$"):
        check_for_account(question)


def test_a_question_is_not_printed_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ReelhouseError, match="write one select"):
        check_for_account("call \x1b]0;mine\x07x()")
    assert not caplog.records


@pytest.mark.parametrize(
    "question",
    [
        "select * from dim_movies order by movie_id limit 3",
        "select * from serving.dim_movies",
        "select table_name from information_schema.tables",
        "with few as (select 1 as one) select one from few union all select 2",
        "select value from dim_movies, lateral flatten(input => split(title, ' '))",
        "select to_timestamp(title), parse_json(title):a[0].b from serving.dim_movies",
    ],
)
def test_ordinary_questions_are_asked(question: str) -> None:
    check_for_account(question)
    if "title" not in question:
        check_question(question)


@pytest.mark.fault("25")
def test_a_question_has_limits(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with reading(published) as answer:
        assert answer("from dim_movies") == (["movie_id"], [(1,)])
        with pytest.raises(CannotAnswer, match="more than 200,000 rows, so add a lim"):
            answer("from range(100000000000)")
        assert len(answer("from range(200000)")[1]) == warehouse.MOST_ROWS
        monkeypatch.setattr(warehouse, "MOST_TEXT", 5_000)
        assert answer("select repeat('x', 2500), 1 from range(2)")[1]
        for much in ("repeat('x', 5001)", "repeat('x', 999)", "list(repeat('x', 9))"):
            with pytest.raises(CannotAnswer, match="more than 5,000 characters"):
                answer(f"select {much} from range(9999) limit 9")
        ((limit,),) = answer("select current_setting('memory_limit')")[1]
        with duckdb.connect() as other:
            question = "select current_setting('memory_limit')"
            assert other.execute(question).fetchall() != [(limit,)]
        with pytest.raises(CannotAnswer):
            answer("select unnest(list(repeat(range::varchar, 100))) from range(1e12)")
        monkeypatch.setattr(duckdb_reading, "MOST_SECONDS", 0.3)
        with pytest.raises(CannotAnswer, match=r"longer than 0\.3 seconds"):
            answer("select sum(a.range) from range(10000000) a, range(10000000) b")
        # The connection still works after all of them.
        assert answer("select 1")[1] == [(1,)]


# --- The servers


def answered(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    """Return status and body of the answer to a request with only these headers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("POST" if "login" in path else "GET", path, True, True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read()


def port_of(s3: S3Settings) -> int:
    return int((s3.endpoint_url or "").rpartition(":")[2])


@pytest.mark.fault("25")
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "localhost", "Origin": "http://localhost"},
        {"Host": "127.0.0.1", "Origin": "null"},
        {},
    ],
)
def test_no_web_page_reaches_a_server(
    s3_server: S3Settings, emulator: EmulatorSettings, headers: dict[str, str]
) -> None:
    for port in (port_of(s3_server), emulator.port):
        assert answered(port, "/session/v1/login-request", **headers)[0] == 403


@pytest.mark.fault("25")
@pytest.mark.parametrize(
    "authorization",
    [None, "", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/s3/aws4_request"],
)
def test_a_bucket_asks_for_the_key_that_was_made_for_it(
    s3_server: S3Settings, authorization: str | None
) -> None:
    headers = {"Host": "127.0.0.1"}
    if authorization is not None:
        headers["Authorization"] = authorization
    status, said = answered(port_of(s3_server), "/", **headers)
    assert (status, b"InvalidAccessKeyId" in said) == (403, True)


def test_keys_are_made_anew(s3_server: S3Settings) -> None:
    from reelhouse.local.bucket import serve_bucket

    with serve_bucket() as other:
        assert len({other.key, s3_server.key}) == 2
        assert len(other.key or "") == 32
        assert str(other.key) not in repr(other)
        stranger = S3Settings(
            other.endpoint_url, s3_server.key, s3_server.secret, "us-east-1", True
        )
        with pytest.raises(ReelhouseError, match="refused the credentials"):
            list_objects(stranger, "s3://reelhouse")
        with pytest.raises(Exception, match="InvalidAccessKeyId"):
            client(stranger).list_buckets()


@pytest.mark.fault("25")
def test_an_emulator_asks_for_the_key_that_was_made_for_it(
    emulator: EmulatorSettings,
) -> None:
    assert Client(emulator, "RIGHTS")("select 1") == [(1,)]
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    began = time.monotonic()
    with pytest.raises(DatabaseError, match="JWT token is invalid"):
        Client(emulator, "RIGHTS", private_key=stranger)
    with pytest.raises(DatabaseError, match="JWT token is invalid"):
        Client(
            emulator,
            "RIGHTS",
            private_key=None,
            password="any",
            authenticator="snowflake",
        )
    assert time.monotonic() - began < 20
    query = json.dumps({"sqlText": "select 1"})
    status, said = answered(
        emulator.port, "/queries/v1/query-request", Host="127.0.0.1"
    )
    assert (status, json.loads(said)["success"], query in str(said)) == (
        *(200, False, False),
    )


def test_the_dashboard_answers_this_machine_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from streamlit import config
    from streamlit.web import cli

    from reelhouse.dashboard.start import start
    from reelhouse.settings import read_settings

    given: list[Any] = []
    monkeypatch.setattr(cli, "main", lambda arguments, **_: given.extend(arguments))
    start(read_settings("data/sample", "dev", {}), 8501)
    hosts = [each for each in given if each.startswith("--server.allowedHosts=")]
    assert [each.partition("=")[2] for each in hosts] == ["127.0.0.1", "localhost"]
    assert config.get_config_options()["server.allowedHosts"].multiple
