"""Job identity: run a command with the identity of its GitHub Actions job.

`python -m tools.job_identity COMMAND…` asks GitHub for tokens that name the job, and
runs the command with them: SNOWFLAKE_TOKEN for Snowflake, and a token file for AWS if
AWS_ROLE_ARN names a role. So no secret has to be stored. A token is valid for five
minutes, in which a connection can be opened.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import requests

from reelhouse.cli import show
from reelhouse.errors import ReelhouseError
from reelhouse.settings import variables

ADDRESS = "ACTIONS_ID_TOKEN_REQUEST_URL"
BEARER = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"

# The audience of a token; an account may be set up to expect another one.
SNOWFLAKE = "snowflakecomputing.com"
AWS = "sts.amazonaws.com"

SECONDS = 30


def identity(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a command of this job logs in with.

    The token for AWS is written to RUNNER_TEMP. Raises ReelhouseError if this job may
    not ask for tokens.
    """
    audience = environ.get("REELHOUSE_SETUP_AUDIENCE") or SNOWFLAKE
    found = {"SNOWFLAKE_TOKEN": _token(environ, audience)}
    if environ.get("AWS_ROLE_ARN"):
        file = Path(environ["RUNNER_TEMP"]) / "reelhouse-aws-token"
        file.touch(mode=0o600)
        file.write_text(_token(environ, AWS), encoding="utf-8")
        found["AWS_WEB_IDENTITY_TOKEN_FILE"] = str(file)
    return found


def _token(environ: Mapping[str, str], audience: str) -> str:
    missing = [name for name in (ADDRESS, BEARER) if not environ.get(name)]
    if missing:
        raise ReelhouseError(
            f"{' and '.join(missing)} must be set, which GitHub does for a job with "
            f"the permission id-token: give it that, or log in by a key."
        )
    try:
        answer = requests.get(
            environ[ADDRESS],
            params={"audience": audience},
            headers={"Authorization": f"bearer {environ[BEARER]}"},
            timeout=SECONDS,
        )
        answer.raise_for_status()
        return str(answer.json()["value"])
    except (requests.RequestException, KeyError) as error:
        # Leave out the error's text: it may contain the address, which is internal.
        raise ReelhouseError(
            f"GitHub gave the job no token for {audience} ({type(error).__name__}): "
            f"run the job again."
        ) from None


def main(command: list[str]) -> None:
    environ = variables()
    try:
        found = identity(environ)
    except ReelhouseError as error:
        show.error(error)
        sys.exit(1)
    # This makes the runner mask the token in its logs, whatever prints it.
    print(f"::add-mask::{found['SNOWFLAKE_TOKEN']}", flush=True)
    # An empty variable counts as not set.
    kept = {name: value for name, value in environ.items() if value}
    os.execvpe(command[0], command, kept | found)


if __name__ == "__main__":
    main(sys.argv[1:])
