"""Settings of a machine, a shell or a path that must not change a result."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import fsspec.config
import pytest
from click.testing import CliRunner
from tests.delivery import unbuilt
from tests.project import PROJECT

from reelhouse.cli import main, show
from reelhouse.cli.build import _show_run
from reelhouse.engines.duckdb.publish import put_in_place
from reelhouse.errors import ReelhouseError
from reelhouse.ingest.load import LoadReport
from reelhouse.local.child import listens
from reelhouse.run import RunReport
from reelhouse.s3 import S3Settings, list_objects, upload
from reelhouse.serving.folders import written_whole
from reelhouse.settings import read_settings
from reelhouse.transform.build import describe


@pytest.mark.long
def test_flags_of_dbt_in_the_environment_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("DBT_PROFILE", "DBT_PROFILES_DIR", "DBT_TARGET_PATH"):
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("DBT_DEFER", "1")
    assert json.loads(describe(unbuilt()))["nodes"]
    assert os.environ["DBT_PROFILE"] == "elsewhere"


@pytest.mark.long
def test_settings_of_other_programs_for_snowflake_are_not_read(tmp_path: Path) -> None:
    (tmp_path / ".snowflake").mkdir()
    (tmp_path / ".snowflake/config.toml").write_text("no [toml")
    code = (
        "from reelhouse.engines.snowflake.connection import connector\n"
        "manager = connector().config_manager.CONFIG_MANAGER\n"
        "print(manager['default_connection_name'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "default\n"), ran.stderr


def test_settings_of_other_programs_for_s3_are_not_read(
    s3_server: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fsspec.config.conf, "s3", {"max_concurrency": 0})
    upload(s3_server, [], "s3://of-this-test")
    assert list_objects(s3_server, "s3://of-this-test") == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "variable"),
    [("bucket", "AWS_ENDPOINT_URL"), ("emulator", "SNOWFLAKE_PORT")],
)
def test_it_serves_without_a_terminal_until_a_signal(what: str, variable: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "reelhouse", what],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as served:
        try:
            assert served.stdout
            assert served.stderr
            assert served.stderr.readline().startswith("Serving ")
            os.set_blocking(served.stdout.fileno(), False)
            told = dict(re.findall(r"export (\w+)='([^']*)'", served.stdout.read()))
            port = int(told[variable].rpartition(":")[2])
            time.sleep(0.5)
            assert served.poll() is None
            assert listens(port)
        finally:
            served.send_signal(signal.SIGTERM)
    assert served.returncode == 128 + signal.SIGTERM
    assert not listens(port)


def test_a_link_stays_one_when_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere/published.duckdb"
    target.write_text("old")
    link = tmp_path / "published.duckdb"
    link.symlink_to(target)
    (tmp_path / "new").write_text("new")
    put_in_place(tmp_path / "new", link)
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_the_folder_that_one_is_in_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(ReelhouseError, match="is the current folder or one above"),
        written_whole(Path(), "contents.json"),
    ):
        pass


@pytest.mark.parametrize("name", ["C#", "what?"])
def test_a_path_that_no_engine_takes_is_named(name: str) -> None:
    with pytest.raises(ReelhouseError, match="has a \\? or # in its path"):
        read_settings(environ={"REELHOUSE_WAREHOUSE": f"/data/{name}/warehouse"})


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a [b] c", "a [b] c"),
        ("red\x1b[31m", "red\\x1b[31m"),
        ("two\rlines", "two\\rlines"),
        ("two\nlines", "two\\nlines"),
        ("left\u202eright", "left\\u202eright"),
        # Commands that a forge would execute.
        ("::error::gone", ":\\x3aerror::gone"),
        ("a\n  ::set-env name=a::b", "a\\n  :\\x3aset-env name=a::b"),
        ("a ##[group]b", "a ##\\x5bgroup]b"),
        ("1::1193::5::978300760", "1:\\x3a1193:\\x3a5::978300760"),
        ("a::b", "a::b"),
    ],
)
def test_a_path_is_shown_as_it_is(
    path: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show.written(Path(path))
    assert capsys.readouterr().out.startswith(shown)


def test_a_highlight_that_fails_is_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = read_settings(environ={"REELHOUSE_WAREHOUSE": str(tmp_path)})
    _show_run(nothing, RunReport([LoadReport()]))
    told = " ".join(capsys.readouterr().out.split())
    assert "The tables are published, but a highlight is missing" in told


def test_an_upload_needs_no_login_to_snowflake(
    s3_server: S3Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET", "prod")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint_url or "")
    ran = CliRunner().invoke(main, ["upload", str(tmp_path), "s3://no"])
    assert "SNOWFLAKE" not in ran.stderr


def test_the_type_of_the_adapter_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "profiles.yml").write_text(
        "reelhouse: {outputs: {here: {type: duckdb}, uat: {type: snowflake}}}"
    )
    (tmp_path / "dbt_project.yml").touch()
    monkeypatch.setenv("REELHOUSE_PROJECT_DIR", str(tmp_path))
    assert not read_settings(target="here", environ={}).is_snowflake
    with pytest.raises(ReelhouseError, match="The target uat needs"):
        read_settings(target="uat", environ={})
    with pytest.raises(ReelhouseError, match="no target 'dev': use one of here, u"):
        read_settings(target="dev", environ={})


def test_the_tree_is_that_of_the_folder_or_of_the_option(tmp_path: Path) -> None:
    """The package is outside of a checkout, as when installed from a wheel."""
    package = tmp_path / "site"
    shutil.copytree(PROJECT / "scripts/reelhouse", package / "lib/python/reelhouse")
    variables = os.environ | {"PYTHONPATH": str(package / "lib/python")}

    def status(folder: Path, *options: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "reelhouse", "status", *options],
            cwd=folder,
            env=variables | {"REELHOUSE_WAREHOUSE": str(tmp_path / "none")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 1
        return ran.stderr

    nowhere = status(tmp_path)
    assert nowhere.startswith(f"reelhouse: There is no Reelhouse project in {tmp_path}")
    assert len(nowhere.splitlines()) == 1
    assert "does not exist, so there is nothing to look at" in status(PROJECT)
    assert "nothing to look at" in status(tmp_path, "--project-dir", str(PROJECT))


WITHOUT = """
import sys
from importlib import metadata

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS or name == "dbt.adapters.snowflake":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

from reelhouse.cli.command import EXTRAS
from reelhouse.cli import main

sys.meta_path.insert(0, Blocked())
main()
"""


@pytest.mark.nightly
def test_a_folder_needs_no_extra_of_the_package(tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "data/sample", tmp_path / "files")

    def call(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", WITHOUT, *command],
            cwd=PROJECT,
            env=os.environ | {"REELHOUSE_WAREHOUSE": str(tmp_path / "warehouse")},
            capture_output=True,
            text=True,
            check=False,
        )

    ran = call("run", "--source", str(tmp_path / "files"))
    assert ran.returncode == 0, ran.stderr
    assert call("query", "select * from dim_genres").returncode == 0
    lacking = call("report")
    assert (
        "not installed: install reelhouse with its extra 'dashboard'." in lacking.stderr
    )
