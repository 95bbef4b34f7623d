"""The command line: any failure gives one clear sentence and exit status 1."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from functools import partial
from io import BytesIO, TextIOWrapper
from pathlib import Path

import click
import duckdb
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.delivery import MOVIES, RATINGS, csv

from reelhouse.cli import command as commands
from reelhouse.cli import main
from reelhouse.engines.duckdb.connection import connect
from reelhouse.engines.snowflake.reading import check_question
from reelhouse.errors import ReelhouseError
from reelhouse.locking import writing
from reelhouse.settings import memory_limit, read_settings
from reelhouse.transform import state
from reelhouse.transform.state import Node

Files = dict[str, bytes]

GOOD: Files = {
    "movies.csv": csv("movies", MOVIES),
    "ratings.csv": csv("ratings", RATINGS),
}


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a new warehouse folder, and no settings from outside the test."""
    for name in ("DBT_TARGET", "REELHOUSE_SOURCE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REELHOUSE_WAREHOUSE", str(tmp_path / "warehouse"))


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def folder(tmp_path: Path, files: Files) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    for name, body in files.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return source


def said(result: Result, *words: str) -> None:
    """Check that the command failed with one sentence that contains the words."""
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("reelhouse: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.stderr


BAD_FOLDERS: dict[str, tuple[Files, tuple[str, ...]]] = {
    "nothing at all": ({}, ("none of the files ratings.csv, movies.csv, tags.csv",)),
    "no ratings": ({"movies.csv": GOOD["movies.csv"]}, ("no ratings.csv", "add it")),
    "no movies": ({"ratings.csv": GOOD["ratings.csv"]}, ("no movies.csv", "add it")),
    "Kaggle": (
        {"movie.csv": b"x", "rating.csv": b"x"},
        ("rating.csv looks like the Kaggle variant of ratings.csv",),
    ),
    "packed": (
        {"movies.csv": GOOD["movies.csv"], "ratings.csv.zip": b"x"},
        ("ratings.csv.zip is compressed: unpack it to ratings.csv",),
    ),
    "swapped header": (
        GOOD | {"ratings.csv": b"movieId,userId,rating,timestamp\n"},
        ("ratings.csv", "another order", "expected 'userId,movieId,rating,timestamp'"),
    ),
    "empty file": (GOOD | {"movies.csv": b""}, ("movies.csv is empty (0 bytes)",)),
}


@pytest.mark.fault("9", "11")
@pytest.mark.parametrize(("files", "words"), BAD_FOLDERS.values(), ids=BAD_FOLDERS)
def test_a_bad_folder_is_named(
    tmp_path: Path, files: Files, words: tuple[str, ...]
) -> None:
    said(call("run", "--source", folder(tmp_path, files)), *words)
    assert not (tmp_path / "warehouse/reelhouse.duckdb").exists()
    assert not (tmp_path / "warehouse/work").exists()


def test_a_file_name_that_is_not_text_is_left_alone(tmp_path: Path) -> None:
    source = folder(tmp_path, GOOD)
    (source / "ratings").mkdir()
    (source / "ratings" / os.fsdecode(b"caf\xe9.csv")).write_bytes(b"x")
    result = call("load", "--validate", "--source", source)
    assert result.exit_code == 0, result.output
    assert r"caf\xe9.csv' is not read: give it a name in UTF-8" in result.stdout


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    said(call("run", "--source", tmp_path / "gone"), "gone does not exist", "name a")
    said(call("load", "--source", __file__), "is a file")
    said(call("run", "--source", "s3://x"), "is not a bucket name")


@pytest.mark.fault("6")
def test_a_bucket_that_is_not_there(
    s3_server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reelhouse.local.bucket import environment
    from reelhouse.s3 import S3Settings

    assert isinstance(s3_server, S3Settings)
    for name, value in environment(s3_server).items():
        monkeypatch.setenv(name, value)
    said(call("run", "--source", "s3://not-there/in"), "not-there")


def test_an_unknown_target() -> None:
    said(call("run", "--target", "production"), "no target 'production'", "dev")
    assert read_settings(environ={"DBT_TARGET": ""}).target == "dev"


ACCOUNT = {
    "SNOWFLAKE_ACCOUNT": "an-account",
    "SNOWFLAKE_USER": "somebody",
    "SNOWFLAKE_ROLE": "a_role",
    "SNOWFLAKE_WAREHOUSE": "a_warehouse",
    "SNOWFLAKE_HOST": "127.0.0.1",
    "SNOWFLAKE_PROTOCOL": "http",
    "SNOWFLAKE_PRIVATE_KEY_PATH": "good.p8",
}
PASSPHRASE = "open sesame"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset account variables, and write good and bad keys to the current folder."""
    for name in os.environ:
        if name.startswith("SNOWFLAKE_"):
            monkeypatch.delenv(name)
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    closed = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    for name, key, encryption in (
        ("good.p8", rsa_key, serialization.NoEncryption()),
        ("closed.p8", rsa_key, closed),
        (
            "curve.p8",
            ec.generate_private_key(ec.SECP256R1()),
            serialization.NoEncryption(),
        ),
    ):
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
        (tmp_path / name).write_bytes(text)
    (tmp_path / "half.p8").write_bytes((tmp_path / "good.p8").read_bytes()[:800])
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    "command",
    [
        ("run",),
        ("load",),
        ("publish",),
        ("query", "select 1"),
    ],
    ids=lambda command: command[0],
)
def test_an_account_needs_variables_which_are_all_named(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = ("ACCOUNT", "ROLE", "WAREHOUSE", "USER", "PRIVATE_KEY_PATH")
    result = call(*command, "--target", "prod")
    said(result, *(f"SNOWFLAKE_{name}" for name in needed), "Set them", "emulator")
    monkeypatch.setenv("SNOWFLAKE_AUTHENTICATOR", "Workload_Identity")
    for name in ("ACCOUNT", "ROLE", "WAREHOUSE"):
        # A job may set a variable to an empty text instead of leaving it out.
        monkeypatch.setenv(f"SNOWFLAKE_{name}", "x" if name == "ROLE" else "")
    result = call(*command, "--target", "prod")
    said(result, "SNOWFLAKE_ACCOUNT, SNOWFLAKE_WAREHOUSE, SNOWFLAKE_WORKLOAD_IDENTITY")
    assert "ROLE" not in result.stderr
    assert "USER" not in result.stderr
    assert not (tmp_path / "warehouse").exists()


BAD_LOGINS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "no file": (
        {"SNOWFLAKE_PRIVATE_KEY_PATH": "gone.p8"},
        ("SNOWFLAKE_PRIVATE_KEY_PATH must be the path", "gone.p8 is not a file"),
    ),
    "a file that cannot be read": (
        # Not even root can read it.
        {"SNOWFLAKE_PRIVATE_KEY_PATH": "/proc/self/mem"},
        ("SNOWFLAKE_PRIVATE_KEY_PATH names a file that cannot be read (Input/output",),
    ),
    "half a key": (
        {"SNOWFLAKE_PRIVATE_KEY_PATH": "half.p8"},
        ("PRIVATE_KEY_PATH does not contain a private key that opens without",),
    ),
    "no key": (
        {"SNOWFLAKE_PRIVATE_KEY_PATH": "", "SNOWFLAKE_PRIVATE_KEY": "c2VjcmV0"},
        ("SNOWFLAKE_PRIVATE_KEY does not contain a private key that opens without",),
    ),
    "no text of a key": (
        {"SNOWFLAKE_PRIVATE_KEY_PATH": "", "SNOWFLAKE_PRIVATE_KEY": "é"},
        ("SNOWFLAKE_PRIVATE_KEY does not contain a private key",),
    ),
    "a key of another kind": (
        {"SNOWFLAKE_PRIVATE_KEY_PATH": "curve.p8"},
        ("SNOWFLAKE_PRIVATE_KEY_PATH contains a private key that is not RSA",),
    ),
    "a closed key": (
        {"SNOWFLAKE_PRIVATE_KEY_PATH": "closed.p8"},
        ("opens without SNOWFLAKE_PRIVATE_KEY_PASSPHRASE: check both",),
    ),
    "another passphrase": (
        {
            "SNOWFLAKE_PRIVATE_KEY_PATH": "closed.p8",
            "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "open barley",
        },
        ("opens with SNOWFLAKE_PRIVATE_KEY_PASSPHRASE: check both",),
    ),
    "two keys": (
        {"SNOWFLAKE_PRIVATE_KEY": "c2VjcmV0"},
        ("SNOWFLAKE_PRIVATE_KEY or SNOWFLAKE_PRIVATE_KEY_PATH must be unset",),
    ),
    "no provider": (
        {"SNOWFLAKE_AUTHENTICATOR": "workload_identity"},
        ("settings that are missing: SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER. Set it",),
    ),
    "no token": (
        {
            "SNOWFLAKE_AUTHENTICATOR": "workload_identity",
            "SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER": "oidc",
        },
        ("needs settings that are missing: SNOWFLAKE_TOKEN. Set it",),
    ),
    "another provider": (
        {
            "SNOWFLAKE_AUTHENTICATOR": "workload_identity",
            "SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER": "c2VjcmV0",
        },
        ("SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER must be OIDC, AWS, AZURE or GCP",),
    ),
    "no such login": (
        {"SNOWFLAKE_AUTHENTICATOR": "knocking"},
        ("an-account does not let somebody log in", "knocking", "SNOWFLAKE_…"),
    ),
    "SQL for a database, words for a port": (
        {
            "SNOWFLAKE_DATABASE": "x; drop database movielens",
            "SNOWFLAKE_PORT": "many",
            "SNOWFLAKE_PROTOCOL": "ftp",
        },
        (
            "SNOWFLAKE_DATABASE must be a name of letters",
            "SNOWFLAKE_PORT must be the number",
            "SNOWFLAKE_PROTOCOL must be https",
        ),
    ),
}


@pytest.mark.fault("23")
@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(("variables", "words"), BAD_LOGINS.values(), ids=BAD_LOGINS)
def test_a_login_that_cannot_work_is_named(
    variables: dict[str, str], words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (ACCOUNT | variables).items():
        monkeypatch.setenv(name, value)
    result = call("publish", "--target", "prod")
    said(result, *words)
    for secret in ("c2VjcmV0", PASSPHRASE, "open barley", "movielens"):
        assert secret not in result.output


@pytest.mark.long
@pytest.mark.fault("23")
@pytest.mark.usefixtures("keys")
def test_an_account_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = str(closed.getsockname()[1])
        for name, value in (ACCOUNT | {"SNOWFLAKE_PORT": port}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("reelhouse.engines.snowflake.connection.LOGIN_SECONDS", 2)
        result = call("publish", "--target", "prod")
    said(result, "an-account cannot be reached", "SNOWFLAKE_HOST")
    # dbt would print log messages in addition to the sentence.
    assert not logging.getLogger("snowflake.connector").isEnabledFor(logging.ERROR)


def test_settings_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELHOUSE_MAX_SHRINK", "a lot")
    said(call("run"), "REELHOUSE_MAX_SHRINK is 'a lot'")
    monkeypatch.setenv("REELHOUSE_MAX_SHRINK", "0.5")
    # History begins in 1900, and each load is at least a second after the last.
    for moment in ("yesterday", "1850-01-01", "9999-12-31T23:59:59"):
        monkeypatch.setenv("REELHOUSE_MOMENT", moment)
        said(call("run"), f"REELHOUSE_MOMENT is '{moment}'")


def test_duckdb_takes_as_much_memory_as_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask = "select current_setting('memory_limit')"
    monkeypatch.setenv("REELHOUSE_MEMORY_LIMIT", "512MiB")
    with connect(Path(":memory:")) as connection:
        assert connection.execute(ask).fetchall() == [("512.0 MiB",)]
    monkeypatch.setenv("REELHOUSE_MEMORY_LIMIT", "a lot")
    with pytest.raises(ReelhouseError, match="REELHOUSE_MEMORY_LIMIT is 'a lot'"):
        connect(Path(":memory:"))


def test_a_folder_that_the_engine_cannot_work_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder(tmp_path, GOOD)
    monkeypatch.setenv("REELHOUSE_WAREHOUSE", str(tmp_path / "why?"))
    said(
        call("load", "--source", source),
        "has a ? or # in its path",
        "REELHOUSE_WAREHOUSE",
    )
    odd = tmp_path / "odd 'n [a-z]*"
    monkeypatch.setenv("REELHOUSE_WAREHOUSE", str(odd))
    assert call("load", "--source", source).exit_code == 0
    assert [path.name for path in odd.iterdir() if path.name != ".lock"] == [
        "reelhouse.duckdb"
    ]


def test_what_nobody_thought_of_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def surprise(*_: object, **__: object) -> None:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("reelhouse.ingest.load.load", surprise)
    result = call("load", "--source", folder(tmp_path, GOOD))
    said(result, "Unexpected error (RuntimeError: first line)", "--debug")


@pytest.mark.fault("15")
def test_a_warehouse_in_use_by_another_run(tmp_path: Path) -> None:
    source = folder(tmp_path, GOOD)
    with writing(tmp_path / "warehouse"):
        for command in ("run", "load"):
            said(
                call(command, "--source", source),
                f"is in use by process {os.getpid()} (reelhouse",
                "wait for it to end",
            )


def test_a_question_that_is_no_sql_does_not_reach_the_account() -> None:
    with pytest.raises(ReelhouseError, match="not valid SQL"):
        check_question("select (")


HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.fault("15")
def test_a_warehouse_file_in_use(tmp_path: Path) -> None:
    (tmp_path / "warehouse").mkdir()
    file = tmp_path / "warehouse/reelhouse.duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        result = call("run", "--source", folder(tmp_path, GOOD))
        said(result, str(file), f"in use by process {holder.pid}")
        assert holder.stdin
        holder.stdin.close()


@pytest.mark.fault("20")
def test_a_damaged_warehouse_file(tmp_path: Path) -> None:
    (tmp_path / "warehouse").mkdir()
    file = tmp_path / "warehouse/reelhouse.duckdb"
    file.write_bytes(b"not a database at all " * 1000)
    said(call("run", "--source", folder(tmp_path, GOOD)), str(file), "--rebuild")
    assert file.read_bytes().startswith(b"not a database")


def test_load_validate_reports_and_loads_nothing(tmp_path: Path) -> None:
    files = GOOD | {"ratings.csv": csv("ratings", [*RATINGS, "x,1,4.0,1"])}
    result = call("load", "--validate", "--source", folder(tmp_path, files))
    assert result.exit_code == 1
    assert "Nothing was loaded" in result.stdout
    summary = "1 of 5 ratings would be rejected: userId not a whole number"
    assert summary in " ".join(result.stdout.split())
    assert not (tmp_path / "warehouse/reelhouse.duckdb").exists()


def test_a_terminal_may_lack_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = GOOD | {"ratings/größe.csv": csv("ratings", [*RATINGS, "x,1,4.0,1"])}
    source = folder(tmp_path, files)
    terminal = TextIOWrapper(BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr("sys.stdout", terminal)
    with pytest.raises(SystemExit):
        main(["load", "--validate", "--source", str(source)])
    assert isinstance(terminal.buffer, BytesIO)
    assert rb"gr\xf6\xdfe.csv" in terminal.buffer.getvalue()


@pytest.mark.fault("11")
def test_load_says_what_it_did_and_what_is_missing(tmp_path: Path) -> None:
    source = folder(tmp_path, GOOD | {"notes.txt": b"mine"})
    result = call("load", "--source", source)
    assert result.exit_code == 0, result.output
    assert "Load 1 is complete." in result.stdout
    assert "tables are empty: tags.csv, links.csv, genome-scores.csv" in result.stdout
    assert "ignored: 1" in result.stdout
    again = call("load", "--source", source)
    assert "Nothing new: 2 objects already known." in again.stdout


WRONG_KINDS = {
    "work": "folder",
    "backup": "folder",
    "reelhouse.duckdb": "file",
    "published.duckdb": "file",
    "published.sha256": "file",
}


@pytest.mark.parametrize(("name", "kind"), WRONG_KINDS.items(), ids=WRONG_KINDS)
def test_a_folder_in_the_place_of_a_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    """Also a file in the place of a folder, and a broken link."""
    source, there = folder(tmp_path, GOOD), tmp_path / "warehouse" / name
    monkeypatch.setenv("REELHOUSE_WAREHOUSE", str(there.parent))
    there.mkdir(parents=True)
    if kind == "folder":
        there.rmdir()
        there.write_text("mine")
    for _ in range(2):
        said(call("run", "--source", source), f"{name} must be a {kind}", "move it")
        assert [each.name for each in there.parent.iterdir()] == [name]
        there.rename(tmp_path / uuid.uuid4().hex)
        there.symlink_to(tmp_path / "gone" / "gone")


def test_an_error_of_a_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    told = "file cannot be used (File exists): move away what is there"
    said(call("export", tmp_path / "file/x"), told)
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    said(call("export", circle / "x"), "points back to itself: correct it")


def test_publish_and_query_before_anything() -> None:
    for command in ("publish", "status"):
        said(call(command), "does not exist, so there is nothing to look at: run")
    said(call("query", "select 1"), "nothing has been published yet")
    result = call("compare", "dev", "ci")
    assert result.exit_code == 2
    assert "published.duckdb does not exist" in result.stderr


def test_status_lists_a_test_only_for_a_reason_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds = {"a_mart": "model", "follows": "test", "is_edited": "test"}
    nodes = {
        name: Node(name, kind, "table", "", (), "", "", "", ())
        for name, kind in kinds.items()
    }
    code = state.REASONS["code"]

    def told(**stale: str) -> list[str]:
        found = state.State(state.Tree(nodes, "", "", ()), {}, stale, {}, 1)
        monkeypatch.setattr(state, "state_of", lambda _: found)
        return call("status").output.splitlines()[2:]

    everything = {"a_mart": code, "follows": state.PASSED_ON, "is_edited": code}
    assert [line.split()[0] for line in told(**everything)] == [
        *("a_mart", "is_edited", "2", "Not"),
    ]
    assert told(**everything)[-1] == "Not listed: 1 test of these nodes."
    new = f"{state.NEW_DATA} ratings"
    assert [line.split()[0] for line in told(a_mart=new, follows=new)] == [
        *("a_mart", "1", "Not"),
    ]
    unlike = told(a_mart=code, follows=state.NOT_BUILT)
    assert [line.split()[0] for line in unlike] == ["a_mart", "follows", "2"]
    assert told(follows=state.NOT_BUILT)[0].split()[:2] == ["follows", "test"]


@pytest.mark.long
@pytest.mark.fault("29")
def test_what_is_done_stays_done_where_nobody_can_be_told(tmp_path: Path) -> None:
    source = folder(tmp_path, GOOD)
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "reelhouse", "load", "--source", source],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )
    assert ran.stderr.startswith("The command is done, but its output could not be w")
    closed = subprocess.run(
        [sys.executable, "-m", "reelhouse", "load", "--source", source],
        preexec_fn=partial(os.close, 1),
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    assert closed.stderr == ""
    with duckdb.connect(str(tmp_path / "warehouse/reelhouse.duckdb")) as connection:
        assert connection.execute("from raw.loads").fetchall()


@pytest.mark.fault("29")
def test_a_command_that_is_terminated_says_so(tmp_path: Path) -> None:
    out = tmp_path / "made"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "reelhouse", "generate"),
            *("--ratings", "3000000", "--seed", "1", "--out", out),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not any(out.glob("*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()
    _, said_last = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert said_last.startswith("reelhouse: Stopped.")
    assert said_last.count("\n") == 1
    assert not any(out.iterdir())


@pytest.mark.fault("29")
@pytest.mark.parametrize(
    "message",
    [
        "Out of Memory Error: could not allocate block of size 256.0 KiB",
        'IO Error: Could not write file "a.duckdb": File too large',
        "IO Error: Could not write file: No space left on device",
    ],
)
def test_a_fault_of_this_machine_is_nothing_to_report(
    monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    def fails(*_: object) -> None:
        raise duckdb.Error(message)

    monkeypatch.setattr("reelhouse.serving.query.ask", fails)
    result = call("query", "select 1")
    said(result, "existing files and tables are unchanged")
    assert "report it" not in result.stderr


@pytest.mark.parametrize("text", ["500%", "0GB", "0 %", "-1GB", "4", "4XB", "101%"])
def test_a_size_of_memory_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ReelhouseError, match="REELHOUSE_MEMORY_LIMIT is"):
        memory_limit({"REELHOUSE_MEMORY_LIMIT": text})


def test_a_current_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    ran = subprocess.run(
        ["/bin/sh", "-c", f"rmdir ../gone; {sys.executable} -m reelhouse status"],
        cwd=gone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [
        "reelhouse: The current folder no longer exists: change to another one."
    ]


def test_debug_shows_the_traceback() -> None:
    result = call("run", "--target", "production", "--debug")
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback")
    assert "production" in result.stderr


@pytest.mark.long
def test_bucket_runs_a_command_with_the_variables_and_its_status() -> None:
    script = (
        "import os, sys; "
        "assert os.environ['AWS_ENDPOINT_URL'].startswith('http://127.0.0.1:'); "
        "sys.exit(7)"
    )
    assert call("bucket", "--", sys.executable, "-c", script).exit_code == 7
    said(call("bucket", "--", "no-such-command"), "no command 'no-such-command'")


@pytest.mark.long
def test_emulator_runs_a_command_with_the_variables_and_its_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SNOWFLAKE_HOST", "real.snowflakecomputing.com")
    monkeypatch.setenv("SNOWFLAKE_PRIVATE_KEY_PATH", "real.p8")
    script = (
        "import os, sys; "
        "assert os.environ['SNOWFLAKE_HOST'] == '127.0.0.1'; "
        "assert os.environ['SNOWFLAKE_PRIVATE_KEY_PATH'] == ''; "
        "sys.exit(7)"
    )
    assert call("emulator", "--", sys.executable, "-c", script).exit_code == 7
    said(call("emulator", "--", "no-such-command"), "no command 'no-such-command'")


@pytest.mark.long
def test_emulator_ends_a_command_whose_server_is_gone() -> None:
    script = """
import os, signal, subprocess, time
from pathlib import Path
servers = [
    int(path.parent.name)
    for path in Path("/proc").glob("[0-9]*/cmdline")
    if path.read_bytes().endswith(b"\\0reelhouse.local.emulator.server\\0")
    and f"PPid:\\t{os.getppid()}\\n" in (path.parent / "status").read_text()
]
(server,) = servers
os.kill(server, signal.SIGKILL)
time.sleep(120)
"""
    # A separate process: in this one, other tests may have an emulator, too.
    command = [sys.executable, "-m", "reelhouse", "emulator"]
    done = subprocess.run(
        [*command, "--", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1, done
    assert "has stopped unexpectedly" in done.stderr


@pytest.mark.long
def test_bucket_and_upload_and_load_go_together(tmp_path: Path) -> None:
    source = folder(tmp_path, GOOD)
    command = f"""
        "{sys.executable}" -m reelhouse upload "{source}" s3://reelhouse/in &&
        "{sys.executable}" -m reelhouse load --source s3://reelhouse/in
    """
    result = call("bucket", "--", "sh", "-c", command)
    assert result.exit_code == 0
    with duckdb.connect(str(tmp_path / "warehouse/reelhouse.duckdb")) as warehouse:
        ((source,),) = warehouse.execute("select source from raw.loads").fetchall()
        assert source.startswith("s3://reelhouse/in at 127.0.0.1:")


def test_generate_writes_what_load_reads(tmp_path: Path) -> None:
    out = tmp_path / "made"
    result = call("generate", "--ratings", 1000, "--out", out)
    assert result.exit_code == 0, result.output
    assert "ratings.csv" in result.stdout
    assert call("load", "--validate", "--source", out).exit_code == 0
    said(call("generate", "--ratings", 0, "--out", tmp_path / "none"), "ratings")


def test_the_list_of_commands_cuts_no_line() -> None:
    result = call("--help")
    assert "Write MovieLens-shaped files of any size." in result.output
    assert "..." not in result.output.replace("[ARGS]...", "")


def test_nobody_need_read_what_is_said() -> None:
    """No other file may get the number of a closed standard output."""
    code = (
        "from reelhouse.cli import main; import os; os.close(1); import sys; "
        "sys.stdout = None; main(['query', 'select 1', '--format', 'parquet'])"
    )
    ran = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE)
    assert b"has been published" in ran.stderr


def test_what_click_makes_of_an_interrupt_is_one() -> None:
    @click.command()
    @commands.command
    def stopped() -> None:
        raise click.Abort

    result = CliRunner().invoke(stopped)
    assert (result.exit_code, result.stderr[:18]) == (130, "reelhouse: Stopped")
