"""A GitHub Actions job gets its tokens, here from a server that imitates GitHub's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from reelhouse.errors import ReelhouseError
from tools.job_identity import identity


class GitHub(BaseHTTPRequestHandler):
    """Gives a job with its bearer token a token for the requested audience."""

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        is_known = self.headers["Authorization"] == "bearer of-the-job"
        self.send_response(200 if is_known and asked["version"] == ["2"] else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"value": f"for {asked['audience'][0]}"}).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), GitHub) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/token?version=2"
        server.shutdown()


@pytest.fixture
def job(address: str, tmp_path: Path) -> dict[str, str]:
    """The variables that GitHub sets for a job with the permission id-token."""
    return {
        "ACTIONS_ID_TOKEN_REQUEST_URL": address,
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-job",
        "RUNNER_TEMP": str(tmp_path),
    }


def test_a_job_gets_a_token_for_the_account(job: dict[str, str]) -> None:
    assert identity(job) == {"SNOWFLAKE_TOKEN": "for snowflakecomputing.com"}
    other = job | {"REELHOUSE_SETUP_AUDIENCE": "https://mine", "AWS_ROLE_ARN": ""}
    assert identity(other) == {"SNOWFLAKE_TOKEN": "for https://mine"}


def test_a_job_with_a_role_gets_a_file_for_aws(job: dict[str, str]) -> None:
    found = identity(job | {"AWS_ROLE_ARN": "arn:aws:iam::1:role/reader"})
    file = Path(found["AWS_WEB_IDENTITY_TOKEN_FILE"])
    assert file.read_text() == "for sts.amazonaws.com"
    assert file.stat().st_mode & 0o077 == 0


def test_the_command_runs_with_it(job: dict[str, str]) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tools.job_identity", "sh", "-c"),
            'echo "$SNOWFLAKE_TOKEN, ${AWS_ROLE_ARN-none}"; exit 7',
        ],
        env=os.environ | job | {"AWS_ROLE_ARN": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    token = "for snowflakecomputing.com"
    assert done.stdout.splitlines() == [f"::add-mask::{token}", f"{token}, none"]
    assert done.returncode == 7


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": ""}, "_URL must be set, which GitHub does"),
        ({"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-another"}, "no token for snowflake"),
        ({"ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1"}, "ConnectionError"),
    ],
)
def test_what_is_wrong_is_said(
    job: dict[str, str], wrong: dict[str, str], says: str
) -> None:
    with pytest.raises(ReelhouseError, match=says) as failed:
        identity(job | wrong)
    assert "of-another" not in str(failed.value)
