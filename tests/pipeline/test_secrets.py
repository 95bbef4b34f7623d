"""No secret of the environment reaches a message, a log, an artifact or a table."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_der_private_key
from tests.delivery import Delivery
from tests.project import PROJECT

from reelhouse.engines.snowflake.connection import open_account
from reelhouse.local.bucket import environment as aws_variables
from reelhouse.local.emulator import EmulatorSettings, serve_emulator
from reelhouse.local.emulator import environment as account_variables
from reelhouse.settings import environment as variables

pytestmark = pytest.mark.long

# The length of the parts of a key to search for.
PART = 40


class Secrets:
    """Secret values, as environment variables, and parts of them to search for."""

    def __init__(self, emulator: EmulatorSettings) -> None:
        self.variables = {
            name: f"canary{uuid.uuid4().hex}"
            for name in (
                "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE",
                "SNOWFLAKE_TOKEN",
                "AWS_SECRET_ACCESS_KEY",
                "AWS_SESSION_TOKEN",
            )
        }
        self.parts = list(self.variables.values())
        key = load_der_private_key(base64.b64decode(emulator.private_key), None)
        passphrase = self.variables["SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"].encode()
        for encryption in (
            serialization.NoEncryption(),
            serialization.BestAvailableEncryption(passphrase),
        ):
            encoded = key.private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                encryption,
            )
            text = base64.b64encode(encoded).decode()
            # Every key begins alike, so its beginning is no secret.
            self.parts += [
                text[at : at + PART] for at in range(PART, len(text) - PART, PART // 2)
            ]
        self.variables["SNOWFLAKE_PRIVATE_KEY"] = text

    def found_in(self, text: str) -> list[str]:
        return [part for part in self.parts if part in text]


@pytest.fixture
def secrets(delivery: Delivery) -> Iterator[Secrets]:
    """Secrets in the environment, with valid ones for an account and a bucket."""
    with (
        serve_emulator() as emulator,
        variables(
            aws_variables(delivery.s3)
            | account_variables(emulator)
            | (secrets := Secrets(emulator)).variables
        ),
    ):
        yield secrets


def files(*folders: Path) -> dict[str, str]:
    """Return the text of every file in some folders."""
    return {
        str(path): path.read_bytes().decode(errors="replace")
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


def tables() -> dict[str, str]:
    """Return all tables of the account and the statements that it received."""
    with open_account("prod") as account:
        names = account.ask(
            "select table_schema || '.' || table_name from information_schema.tables "
            "union select table_schema || '.' || table_name "
            "from information_schema.views"
        )
        names.append(("emulator.statements",))
        return {name: str(account.ask(f"select * from {name}")) for (name,) in names}


@pytest.mark.nightly
@pytest.mark.fault("22")
def test_no_secret_is_written_down(
    secrets: Secrets, delivery: Delivery, tmp_path: Path
) -> None:
    said: dict[str, str] = {}

    def do(name: str, *arguments: str, status: int = 0, **changes: str) -> None:
        ran = subprocess.run(
            [sys.executable, *arguments],
            cwd=PROJECT,
            env=os.environ
            | {"REELHOUSE_WAREHOUSE": str(delivery.warehouse)}
            | {"DBT_TARGET": "prod", "REELHOUSE_SOURCE": delivery.url}
            | changes,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        said[name] = ran.stdout + ran.stderr
        assert ran.returncode == status, said[name]

    def do_dbt(name: str, *arguments: str, status: int = 0, **changes: str) -> None:
        folder = str(tmp_path / name)
        places = {"DBT_LOG_PATH": folder, "DBT_TARGET_PATH": f"{folder}/target"}
        command = ("-c", "from dbt.cli.main import cli; cli()", "--debug", *arguments)
        do(name, *command, status=status, **places, **changes)

    run = ("-m", "reelhouse", "run", "--debug")
    do("run", *run)
    with open_account("prod") as account:
        fault = "'create .*int_movies_detailed.*', 630, '57014', 'It takes too long.'"
        account.ask(f"insert into emulator.faults values ({fault}, null)")
        do("failed build", "-m", "reelhouse", "run", "--all", status=1)
        do("failed build, debug", *run, "--all", status=1)
        account.ask("delete from emulator.faults")
    do("no way", *run, status=1, SNOWFLAKE_AUTHENTICATOR="knocking")
    do("wrong passphrase", *run, status=1, SNOWFLAKE_PRIVATE_KEY="x" * 400)
    do("no bucket", *run, "--source", "s3://not-there/x", status=1)
    do("query", "-m", "reelhouse", "query", "--debug", "select gone", status=1)
    do_dbt("dbt debug", "debug")
    do_dbt("dbt debug, no way", "debug", status=1, SNOWFLAKE_AUTHENTICATOR="knocking")
    do_dbt("dbt build", "build", "--select", "+dim_genres")
    do_dbt("dbt docs", "docs", "generate", "--static", "--select", "dim_genres")

    assert "1 of" not in said["run"]
    assert "nothing is published" in said["failed build"]
    assert "Traceback" in said["failed build, debug"]
    assert "does not let" in said["no way"]
    assert "opens with SNOWFLAKE_PRIVATE_KEY_PASSPHRASE" in said["wrong passphrase"]
    assert "not-there" in said["no bucket"]
    written = files(delivery.warehouse, *(tmp_path / name for name in said))
    for name in ("manifest.json", "run_results.json", "dbt.log", "index.html"):
        assert any(path.endswith(name) for path in written), name
    held = tables()
    assert "Lantern" in held["SERVING.DIM_MOVIES"]
    leaks = {
        where: secrets.found_in(text) for where, text in (said | written | held).items()
    }
    assert {where: found for where, found in leaks.items() if found} == {}


@pytest.mark.fault("22")
def test_a_secret_would_be_found(secrets: Secrets, tmp_path: Path) -> None:
    key = secrets.variables["SNOWFLAKE_PRIVATE_KEY"]
    assert secrets.found_in(f"connect(key={key[300 : 300 + 2 * PART]!r})")
    (tmp_path / "log").write_text(f"token={os.environ['SNOWFLAKE_TOKEN']}")
    (found,) = files(tmp_path).values()
    assert secrets.found_in(found) == [os.environ["SNOWFLAKE_TOKEN"]]
    assert secrets.found_in("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC") == []
