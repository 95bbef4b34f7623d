"""The local bucket: it answers, prints nothing, and ends with its parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reelhouse.errors import ReelhouseError
from reelhouse.local.bucket import _child_environment, environment, serve_bucket
from reelhouse.s3 import S3Settings, list_objects, upload

# `make test` already depends on the local bucket everywhere.
pytestmark = pytest.mark.long

PARENT = """
import os, time
from reelhouse.local.bucket import serve_bucket
from reelhouse.s3 import list_objects, upload
with serve_bucket() as settings:
    upload(settings, [], "s3://movies")
    assert list_objects(settings, "s3://movies") == []
    print(settings.endpoint_url, flush=True)
    {then}
"""

CLIENT = """
import json, boto3
client = boto3.client("s3")
client.create_bucket(Bucket="from-boto3")
print(json.dumps([bucket["Name"] for bucket in client.list_buckets()["Buckets"]]))
"""

PROFILE = """
[profile nobody]
aws_access_key_id = of-the-machine
aws_secret_access_key = of-the-machine
endpoint_url = http://127.0.0.1:9
region = eu-central-1
"""

HOSTILE = {
    "AWS_ACCESS_KEY_ID": "of-the-machine",
    "AWS_SECRET_ACCESS_KEY": "of-the-machine",
    "AWS_SESSION_TOKEN": "of-the-machine",
    "AWS_PROFILE": "nobody",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_CA_BUNDLE": "/nowhere/ca.pem",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "MOTO_S3_CUSTOM_ENDPOINTS": "http://elsewhere",
}


def _start_parent(then: str) -> tuple[subprocess.Popen[str], int]:
    """Start a process that serves a bucket; return it and the bucket's port."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(then=then)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline().rsplit(":", 1)[1])


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _stops_listening(port: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while _listens(port) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not _listens(port)


def _port(settings: S3Settings) -> int:
    return int((settings.endpoint_url or "").rsplit(":", 1)[1])


def test_it_listens_on_loopback_only_and_stops_with_the_block() -> None:
    with serve_bucket() as settings:
        assert (settings.endpoint_url or "").startswith("http://127.0.0.1:")
        assert _listens(_port(settings))
    assert not _listens(_port(settings))


def test_it_stops_when_the_block_fails() -> None:
    with pytest.raises(ZeroDivisionError), serve_bucket() as settings:
        _ = 1 / 0
    assert not _listens(_port(settings))


def test_two_buckets_know_nothing_of_each_other(s3_server: S3Settings) -> None:
    upload(s3_server, [], "s3://only-here")
    with (
        serve_bucket() as other,
        pytest.raises(ReelhouseError, match="no bucket 'only-here'"),
    ):
        list_objects(other, "s3://only-here")


@pytest.mark.fault("1", "24")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_stops_however_the_parent_ends(how: signal.Signals) -> None:
    parent, port = _start_parent("time.sleep(60)")
    assert _listens(port)
    os.killpg(parent.pid, how)
    _, errors = parent.communicate(timeout=20)
    assert _stops_listening(port)
    # One traceback at most, of the parent's own Ctrl-C; none of the child.
    assert errors.count("Traceback") == (how == signal.SIGINT)


def test_it_prints_nothing() -> None:
    parent, _ = _start_parent("pass")
    output, errors = parent.communicate(timeout=20)
    assert (output, errors, parent.returncode) == ("", "", 0)


def test_a_start_that_takes_too_long_is_given_up() -> None:
    before = time.monotonic()
    with (
        pytest.raises(ReelhouseError, match="did not answer within 0 seconds"),
        serve_bucket(start_seconds=0.0),
    ):
        pass
    assert time.monotonic() - before < 5


def test_a_start_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/cat")
    with (
        pytest.raises(
            ReelhouseError, match=r"did not start \(.*cat.*\): run 'make run'"
        ),
        serve_bucket(),
    ):
        pass


def test_the_environment_leads_any_client_there(
    s3_server: S3Settings, tmp_path: Path
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(PROFILE)
    answer = subprocess.run(
        [sys.executable, "-c", CLIENT],
        env={"PATH": os.defpath, "HOME": str(tmp_path)}
        | {name: value for name, value in HOSTILE.items() if name != "AWS_CA_BUNDLE"}
        | environment(s3_server),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "from-boto3" in json.loads(answer.stdout)


def test_the_machines_own_settings_do_not_reach_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    with serve_bucket() as settings:
        upload(settings, [], "s3://movies")
        assert list_objects(settings, "s3://movies") == []


def test_no_secret_of_the_machine_reaches_the_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    given = _child_environment(os.environ)
    assert "canary" not in given.values()
    with serve_bucket() as settings:
        assert settings.secret != "canary"
        assert "secret" not in repr(settings)
