"""The command line: one clear sentence and exit status 1 for whatever goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result
from tests.delivery import MOVIES, RATINGS, csv

from reelhouse.cli import main
from reelhouse.locking import writing

Files = dict[str, bytes]

GOOD: Files = {
    "movies.csv": csv("movies", MOVIES),
    "ratings.csv": csv("ratings", RATINGS),
}


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warehouse folder of the test's own and no settings from outside."""
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
    """The command failed with one sentence that holds the words."""
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("reelhouse: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.stderr


BAD_FOLDERS: dict[str, tuple[Files, tuple[str, ...]]] = {
    "nothing at all": ({}, ("none of the six MovieLens files",)),
    "no ratings": ({"movies.csv": GOOD["movies.csv"]}, ("no ratings.csv", "add it")),
    "no movies": ({"ratings.csv": GOOD["ratings.csv"]}, ("no movies.csv", "add it")),
    "Kaggle": (
        {"movie.csv": b"x", "rating.csv": b"x"},
        ("rating.csv looks like the Kaggle variant of ratings.csv",),
    ),
    "packed": (
        {"movies.csv": GOOD["movies.csv"], "ratings.csv.gz": b"x"},
        ("ratings.csv.gz is compressed: unpack it to ratings.csv",),
    ),
    "swapped header": (
        GOOD | {"ratings.csv": b"movieId,userId,rating,timestamp\n"},
        ("ratings.csv", "another order", "expected 'userId,movieId,rating,timestamp'"),
    ),
    "empty file": (GOOD | {"movies.csv": b""}, ("movies.csv is empty (0 bytes)",)),
}


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


def test_a_bucket_that_is_not_there(
    s3_server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reelhouse.bucket import environment
    from reelhouse.s3 import S3Settings

    assert isinstance(s3_server, S3Settings)
    for name, value in environment(s3_server).items():
        monkeypatch.setenv(name, value)
    said(call("run", "--source", "s3://not-there/in"), "not-there")


def test_an_unknown_target() -> None:
    said(call("run", "--target", "production"), "no target 'production'", "dev")


def test_settings_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELHOUSE_MAX_SHRINK", "a lot")
    said(call("run"), "REELHOUSE_MAX_SHRINK is 'a lot'")
    monkeypatch.setenv("REELHOUSE_MAX_SHRINK", "0.5")
    monkeypatch.setenv("REELHOUSE_MOMENT", "yesterday")
    said(call("run"), "REELHOUSE_MOMENT is 'yesterday'")


def test_a_folder_that_the_engine_cannot_work_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder(tmp_path, GOOD)
    monkeypatch.setenv("REELHOUSE_WAREHOUSE", str(tmp_path / "why?"))
    said(call("load", "--source", source), "question mark", "REELHOUSE_WAREHOUSE")
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

    monkeypatch.setattr("reelhouse.load.load", surprise)
    result = call("load", "--source", folder(tmp_path, GOOD))
    said(result, "should not (RuntimeError: first line)", "--debug")


def test_a_warehouse_in_use_by_another_run(tmp_path: Path) -> None:
    source = folder(tmp_path, GOOD)
    with writing(tmp_path / "warehouse"):
        for command in ("run", "load"):
            said(
                call(command, "--source", source),
                f"is in use by process {os.getpid()} (reelhouse",
                "wait for it to end",
            )


HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


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
    assert "ratings.csv: userId: not a whole number" in result.stdout
    assert not (tmp_path / "warehouse/reelhouse.duckdb").exists()


def test_load_says_what_it_did_and_what_is_missing(tmp_path: Path) -> None:
    source = folder(tmp_path, GOOD | {"notes.txt": b"mine"})
    result = call("load", "--source", source)
    assert result.exit_code == 0, result.output
    assert "Load 1 is complete." in result.stdout
    assert "tables are empty: tags.csv, links.csv, genome-scores.csv" in result.stdout
    assert "left alone: 1" in result.stdout
    again = call("load", "--source", source)
    assert "Nothing new: 2 objects known from before." in again.stdout


def test_publish_and_query_before_anything() -> None:
    said(call("publish"), "reelhouse.duckdb is not there", "reelhouse run")
    said(call("query", "select 1"), "nothing has been published yet")
    result = call("compare", "dev", "ci")
    assert result.exit_code == 2
    assert "published.duckdb is not there" in result.stderr


def test_debug_shows_the_traceback() -> None:
    result = call("run", "--target", "production", "--debug")
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback")
    assert "production" in result.stderr


def test_bucket_runs_a_command_with_the_variables_and_its_status() -> None:
    script = (
        "import os, sys; "
        "assert os.environ['AWS_ENDPOINT_URL'].startswith('http://127.0.0.1:'); "
        "sys.exit(7)"
    )
    assert call("bucket", "--", sys.executable, "-c", script).exit_code == 7
    said(call("bucket", "--", "no-such-command"), "no command 'no-such-command'")


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


def test_emulator_ends_a_command_whose_server_is_gone() -> None:
    script = """
import os, signal, subprocess, time
from pathlib import Path
servers = [
    path.parent.name
    for path in Path("/proc").glob("[0-9]*/cmdline")
    if b"reelhouse.emulator.server" in path.read_bytes()
    and f"PPid:\\t{os.getppid()}\\n" in (path.parent / "status").read_text()
]
os.kill(int(servers[0]), signal.SIGKILL)
time.sleep(120)
"""
    said(call("emulator", "--", sys.executable, "-c", script), "has ended by itself")


def test_emulator_without_a_command_prints_the_variables() -> None:
    # Its input has ended, so it does not stay.
    result = call("emulator")
    assert result.exit_code == 0
    assert "export SNOWFLAKE_HOST='127.0.0.1'" in result.stdout
    assert "export SNOWFLAKE_PRIVATE_KEY=" in result.stdout


def test_bucket_and_upload_and_load_go_together(tmp_path: Path) -> None:
    source = folder(tmp_path, GOOD)
    command = f"""
        "{sys.executable}" -m reelhouse upload "{source}" s3://reelhouse/in &&
        "{sys.executable}" -m reelhouse load --source s3://reelhouse/in
    """
    result = call("bucket", "--", "sh", "-c", command)
    assert result.exit_code == 0
    with duckdb.connect(str(tmp_path / "warehouse/reelhouse.duckdb")) as warehouse:
        assert warehouse.execute("select source from raw.loads").fetchall() == [
            ("s3://reelhouse/in",)
        ]


def test_generate_writes_what_load_reads(tmp_path: Path) -> None:
    out = tmp_path / "made"
    result = call("generate", "--ratings", 1000, "--out", out)
    assert result.exit_code == 0, result.output
    assert "ratings.csv" in result.stdout
    assert call("load", "--validate", "--source", out).exit_code == 0
    said(call("generate", "--ratings", 0, "--out", tmp_path / "none"), "ratings")
