"""The setup of a Snowflake account, tested on a model of an account."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.project import PROJECT
from tests.snowflake_account import ACCOUNT_KINDS, Account, Privilege, Refused

from reelhouse.engines.snowflake.connection import connector
from reelhouse.errors import ReelhouseError
from reelhouse.local.emulator import environment as emulator_variables
from reelhouse.local.emulator import serve_emulator
from tools import snowflake_setup
from tools.snowflake_setup import (
    DEFAULTS,
    FILES,
    FORMS,
    MASKED_TABLES,
    PARTS,
    PULL_REQUEST_PARTS,
    Setup,
    apply,
    render,
    statements,
    variables,
)

PRIVATE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(public_key: Any) -> str:
    return str(
        public_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        "ascii",
    )


PUBLIC_KEY = pem(PRIVATE_KEY.public_key())
SECRET_KEY = str(
    PRIVATE_KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ),
    "ascii",
)
SECRET_BYTES = PRIVATE_KEY.private_bytes(
    serialization.Encoding.DER,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
FULL = {
    "SNOWFLAKE_DATABASE": "movielens",
    "REELHOUSE_SETUP_CREDITS": "25",
    "REELHOUSE_SETUP_LOADER_KEY": PUBLIC_KEY,
    "REELHOUSE_SETUP_TRANSFORMER_KEY": PUBLIC_KEY,
    "REELHOUSE_SETUP_TRANSFORMER_SUBJECT": "repo:owner/name:environment:production",
    "REELHOUSE_SETUP_REPORTER_KEY": PUBLIC_KEY,
    "REELHOUSE_SETUP_CI_SUBJECT": "repo:owner/name:pull_request",
    "REELHOUSE_SETUP_BUCKET": "s3://a-bucket/movies/in/",
    "REELHOUSE_SETUP_BUCKET_ROLE": "arn:aws:iam::123456789012:role/snowflake",
    "REELHOUSE_SETUP_SNOWFLAKE_ARN": "arn:aws:iam::210987654321:user/abc1-s",
    "REELHOUSE_SETUP_EXTERNAL_ID": "ABC123_SFCRole=2_abcdefg=",
    "REELHOUSE_SETUP_ADDRESSES": "192.0.2.7, 198.51.100.0/24",
    "REELHOUSE_SETUP_TEARDOWN": "MOVIELENS",
}
SQL_PARTS = [name for name, (file, *_) in PARTS.items() if file.endswith(".sql")]
# In the order in which they run; teardown undoes them.
BUILDING_PARTS = [
    name for name in SQL_PARTS if name != "teardown" and name not in PULL_REQUEST_PARTS
]


def setup_for(part: str, **changes: str) -> Setup:
    database = "movielens_pr_42" if part in PULL_REQUEST_PARTS else "movielens"
    environ = {
        **FULL,
        "SNOWFLAKE_DATABASE": database,
        "REELHOUSE_SETUP_TEARDOWN": database,
        **changes,
    }
    return variables(environ, [part])


def all_statements(part: str) -> list[str]:
    return statements(setup_for(part), part)


@pytest.fixture
def account() -> Account:
    """An account after every part has run."""
    account = Account()
    for part in BUILDING_PARTS:
        account.run(all_statements(part))
    return account


# --- Statements


def test_each_file_is_a_part_and_each_part_a_file() -> None:
    assert {path.name for path in FILES.glob("*.*")} == {
        file for file, *_ in PARTS.values()
    }


@pytest.mark.parametrize("part", SQL_PARTS)
def test_each_statement_can_run_again(part: str) -> None:
    for statement in all_statements(part):
        text = " ".join(statement.split())
        assert re.match(
            r"use (role|warehouse) |grant |drop [a-z ]+ if exists "
            r"|create [a-z ]+ if not exists |alter [a-z ]+ [\w.]+ set "
            r"|alter table if exists .+ set masking policy .+ force$",
            text,
        ), text
        assert " or replace " not in text


def test_parts_run_in_order_and_again_and_change_nothing_then(account: Account) -> None:
    before = copy.deepcopy(account)
    for part in BUILDING_PARTS:
        account.run(all_statements(part))
    account.role = before.role
    assert account == before


@pytest.mark.parametrize("part", [p for p in BUILDING_PARTS if p != "account"])
def test_no_part_can_come_before_the_account(part: str) -> None:
    with pytest.raises(Refused):
        Account().run(all_statements(part))


def test_schemas_are_there_with_managed_access(account: Account) -> None:
    made = "\n".join(all_statements("database"))
    for schema in (
        *("raw", "staging", "intermediate", "marts", "snapshots", "state"),
        *("serving", "serving_next"),
    ):
        assert ("SCHEMA", f"MOVIELENS.{schema.upper()}") in account.owners
        assert f"MOVIELENS.{schema} with managed access" in made
    assert ("SCHEMA", "MOVIELENS.PUBLIC") not in account.owners


def test_warehouses_are_small_watched_and_stop_by_themselves(account: Account) -> None:
    text = " ".join(render(setup_for("account"), "account").split())
    warehouses = [name for kind, name in account.owners if kind == "WAREHOUSE"]
    assert len(warehouses) == 5
    for name in warehouses:
        assert (
            f"create warehouse if not exists {name} with warehouse_size = xsmall "
            f"generation = '1' initially_suspended = true;" in text
        )
        assert re.search(
            rf"alter warehouse {name} set auto_suspend = 60 auto_resume = true "
            rf"statement_timeout_in_seconds = [1-9]\d+ "
            rf"statement_queued_timeout_in_seconds = [1-9]\d+ ",
            text,
        )
        reads = name in {"REELHOUSE_REPORTING", "REELHOUSE_APP"}
        monitor = "REELHOUSE_READING_MONITOR" if reads else "REELHOUSE_MONITOR"
        assert f"alter warehouse {name} set resource_monitor = {monitor};" in text
    # An app is a single statement for as long as somebody has it open.
    assert (
        "REELHOUSE_APP set auto_suspend = 60 auto_resume = true "
        + ("statement_timeout_in_seconds = 86400")
        in text
    )
    assert text.count("credit_quota = 25") == text.count("credit_quota = 10 ") == 2
    assert (
        text.count(
            "on 75 percent do notify on 95 percent do suspend "
            "on 100 percent do suspend_immediate"
        )
        == 4
    )


def test_users_are_services_and_have_no_password() -> None:
    text = " ".join(render(setup_for("account"), "account").split())
    assert text.count("create user if not exists") == 4
    assert text.count("type = service") == 4
    assert text.count("default_secondary_roles = ()") == 4
    settings = (
        "set timezone = 'UTC' timestamp_type_mapping = 'TIMESTAMP_NTZ' "
        "timestamp_input_format = 'AUTO' date_input_format = 'AUTO' "
        "rows_per_resultset = 0;"
    )
    assert text.count(settings) == 4
    for part in PARTS:
        assert "password =" not in render(setup_for(part), part)


def test_users_log_in_by_what_they_were_given() -> None:
    text = " ".join(render(setup_for("account"), "account").split())
    body = "".join(PUBLIC_KEY.splitlines()[1:-1])
    assert f"alter user REELHOUSE_LOADER set rsa_public_key = '{body}';" in text
    assert "alter user REELHOUSE_LOADER set workload_identity" not in text
    assert "alter user REELHOUSE_CI set rsa_public_key" not in text
    assert (
        "alter user REELHOUSE_CI set workload_identity = ( type = oidc "
        "issuer = 'https://token.actions.githubusercontent.com' "
        "subject = 'repo:owner/name:pull_request' "
        "oidc_audience_list = ('snowflakecomputing.com') );" in text
    )


def test_without_keys_there_are_no_users() -> None:
    made = statements(variables({}, ["account"]), "account")
    assert not [statement for statement in made if " user " in statement]


# --- Who may do what


def test_reporter_reads_serving_and_nothing_else(account: Account) -> None:
    assert account.readable_schemas("REELHOUSE_REPORTER") == {"MOVIELENS.SERVING"}
    beside_apps = {
        p.privilege
        for p in account.privileges("REELHOUSE_REPORTER")
        if p.name != "MOVIELENS.APPS"
    }
    assert beside_apps == {"USAGE", "SELECT"}


def test_what_is_made_in_serving_next_is_readable_once_it_is_serving(
    account: Account,
) -> None:
    has = account.granted["MOVIELENS.SERVING_READ"]

    def of(schema: str) -> set[tuple[str, str]]:
        return {(p.privilege, p.kind) for p in has if p.name == schema}

    usage = ("USAGE", "SCHEMA")
    assert of("MOVIELENS.SERVING") - of("MOVIELENS.SERVING_NEXT") == {usage}
    assert of("MOVIELENS.SERVING_NEXT") < of("MOVIELENS.SERVING")
    owners = {account.owners["SCHEMA", f"MOVIELENS.SERVING{n}"] for n in ("", "_NEXT")}
    assert owners == {"REELHOUSE_TRANSFORMER"}


def test_readers_lose_nothing_when_publishing_swaps(account: Account) -> None:
    serving, following = "MOVIELENS.SERVING", "MOVIELENS.SERVING_NEXT"
    usage = f"usage on schema {following} %s database role MOVIELENS.SERVING_READ"
    seen = []
    for _ in range(2):
        for statement in (
            "use role REELHOUSE_TRANSFORMER",
            f"revoke {usage % 'from'}",  # and then SERVING_NEXT is filled
            f"grant {usage % 'to'}",
            f"alter schema {serving} swap with {following}",
            f"revoke {usage % 'from'}",
        ):
            account.execute(statement)
            seen.append(account.readable_schemas("REELHOUSE_REPORTER"))
    complete = {serving, following}
    assert seen == 2 * [{serving}, {serving}, complete, complete, {serving}]
    account.execute(f"alter schema {serving} swap with {following}")
    assert account.readable_schemas("REELHOUSE_REPORTER") == {following}
    account.run(all_statements("database"))
    assert serving in account.readable_schemas("REELHOUSE_REPORTER")


def test_loader_writes_raw_and_reads_the_state_and_nothing_else() -> None:
    account = Account()
    for part in ("account", "database", "access"):
        account.run(all_statements(part))
    has = account.privileges("REELHOUSE_LOADER")
    assert account.readable_schemas("REELHOUSE_LOADER") == {
        *("MOVIELENS.RAW", "MOVIELENS.STATE")
    }
    assert {p.name.split(".")[1] for p in has if "." in p.name} == {"RAW", "STATE"}
    assert {p.privilege for p in has if p.name.startswith("MOVIELENS.STATE")} == {
        *("USAGE", "SELECT")
    }
    for privilege in ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "SELECT"):
        assert Privilege(privilege, "FUTURE TABLES", "MOVIELENS.RAW") in has
    for privilege in ("READ", "WRITE"):
        assert Privilege(privilege, "STAGE", "MOVIELENS.RAW.LANDING") in has


def test_transformer_reads_raw_and_writes_it_only_after_whole_run() -> None:
    account = Account()
    for part in ("account", "database", "access"):
        account.run(all_statements(part))
    insert = Privilege("INSERT", "FUTURE TABLES", "MOVIELENS.RAW")
    assert "MOVIELENS.RAW" in account.readable_schemas("REELHOUSE_TRANSFORMER")
    assert insert not in account.privileges("REELHOUSE_TRANSFORMER")
    for schema in ("STAGING", "INTERMEDIATE", "MARTS", "SNAPSHOTS", "STATE"):
        for privilege in ("USAGE", "CREATE TABLE", "CREATE VIEW"):
            assert Privilege(
                privilege, "SCHEMA", f"MOVIELENS.{schema}"
            ) in account.privileges("REELHOUSE_TRANSFORMER")
    account.run(all_statements("whole-run"))
    assert insert in account.privileges("REELHOUSE_TRANSFORMER")


def test_ci_does_not_touch_the_production_database(account: Account) -> None:
    assert account.privileges("REELHOUSE_CI") == {
        Privilege("CREATE DATABASE", "ACCOUNT", ""),
        Privilege("USAGE", "WAREHOUSE", "REELHOUSE_CI"),
    }


def test_ci_makes_and_drops_a_database_of_its_own(account: Account) -> None:
    before = copy.deepcopy(account)
    for _ in range(2):
        account.run(all_statements("pull-request"))
    made = account.owners.items() - before.owners.items()
    assert {owner for _, owner in made} == {"REELHOUSE_CI"}
    assert {name.split(".")[0] for (_, name), _ in made} == {"MOVIELENS_PR_42"}
    for _ in range(2):
        account.run(all_statements("drop-pull-request"))
    account.role = before.role
    assert account == before


def test_nobody_is_given_all_or_ownership_or_a_role_of_the_system() -> None:
    for part in SQL_PARTS:
        for statement in all_statements(part):
            text = " ".join(statement.split())
            assert not re.match(r"grant (all|ownership)\b", text), text
            assert "with grant option" not in text
            assert not re.match(
                r"grant role (account|security|user|sys)admin\b", text
            ), text


def test_the_account_gives_away_one_privilege(account: Account) -> None:
    given = {
        (role, p.privilege)
        for role, has in account.granted.items()
        for p in has
        if p.kind == "ACCOUNT"
    }
    assert given == {("REELHOUSE_CI", "CREATE DATABASE")}


@pytest.mark.parametrize("part", SQL_PARTS)
def test_account_administrators_do_what_only_they_can(part: str) -> None:
    role = ""
    for statement in all_statements(part):
        text = " ".join(statement.split())
        if text.startswith("use role "):
            role = text.split()[-1].upper()
        elif role == "ACCOUNTADMIN":
            assert part in {"account", "bucket", "teardown"}
            assert re.match(
                r"(create|alter) (resource monitor|storage integration) "
                r"|alter warehouse \S+ set resource_monitor "
                r"|grant create database on account |grant usage on integration "
                r"|drop ",
                text,
            ), text


def test_teardown_drops_what_was_made_and_nothing_else(account: Account) -> None:
    made = {
        (kind, name)
        for kind, name in account.owners
        if kind in ACCOUNT_KINDS and kind != "TABLE"
    }
    dropped = {
        (kind, name)
        for statement in all_statements("teardown")
        for kind in ACCOUNT_KINDS
        for name in re.findall(
            rf"drop {kind.removeprefix('STORAGE ')} if exists (\S+)",
            statement,
            re.IGNORECASE,
        )
    }
    assert dropped == made
    for _ in range(2):
        account.run(all_statements("teardown"))
    assert account.owners == {}
    assert not any(account.granted.values())


def test_masked_tables_are_all_published_tables_with_user_ids() -> None:
    found = set()
    for path in (PROJECT / "models/marts").rglob("*.yml"):
        (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
        is_view = "materialized='view'" in path.with_suffix(".sql").read_text("utf-8")
        if not is_view and "user_id" in {column["name"] for column in model["columns"]}:
            found.add(model["name"])
    assert found == set(MASKED_TABLES)


def test_tables_that_are_published_already_are_masked_too() -> None:
    masked = " ".join(" ".join(all_statements("enterprise")).split())
    for schema in ("marts", "serving", "serving_next"):
        for table in MASKED_TABLES:
            assert f"alter table if exists MOVIELENS.{schema}.{table} modify" in masked


# --- Policies of the bucket


def test_the_bucket_policy_reads_one_folder() -> None:
    policy = json.loads(render(setup_for("bucket-policy"), "bucket-policy"))
    bucket = "arn:aws:s3:::a-bucket"
    allowed = {}
    for each in policy["Statement"]:
        assert each["Effect"] == "Allow"
        actions = each["Action"]
        for action in actions if isinstance(actions, list) else [actions]:
            allowed[action] = (each["Resource"], each.get("Condition"))
    assert allowed == {
        "s3:GetObject": (f"{bucket}/movies/in/*", None),
        "s3:GetObjectVersion": (f"{bucket}/movies/in/*", None),
        "s3:ListBucket": (bucket, {"StringLike": {"s3:prefix": "movies/in/*"}}),
        "s3:GetBucketLocation": (bucket, None),
    }


def test_the_trust_policy_asks_for_the_external_id() -> None:
    policy = json.loads(render(setup_for("trust-policy"), "trust-policy"))
    (each,) = policy["Statement"]
    assert each["Principal"] == {"AWS": FULL["REELHOUSE_SETUP_SNOWFLAKE_ARN"]}
    assert each["Condition"] == {
        "StringEquals": {"sts:ExternalId": FULL["REELHOUSE_SETUP_EXTERNAL_ID"]}
    }


# --- Variables


def test_defaults_need_no_variable() -> None:
    setup = variables({}, ["account", "database", "access", "whole-run"])
    found = {name: setup[name] for name in ("database", "prefix", "owner", "credits")}
    assert [*found.values()] == ["MOVIELENS", "REELHOUSE", "SYSADMIN", "10"]


def test_names_follow_their_variables() -> None:
    setup = variables(
        {
            "SNOWFLAKE_DATABASE": "films",
            "REELHOUSE_SETUP_PREFIX": "cinema",
            "REELHOUSE_SETUP_OWNER": "film_admin",
        },
        ["access"],
    )
    text = render(setup, "access")
    assert "use role FILM_ADMIN;" in text
    assert "grant database role FILMS.serving_read to role CINEMA_REPORTER;" in text
    assert "MOVIELENS" not in text
    assert "REELHOUSE" not in text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SNOWFLAKE_DATABASE", "movies; drop database movielens"),
        ("SNOWFLAKE_DATABASE", "movies.raw"),
        ("SNOWFLAKE_DATABASE", '"movies"'),
        ("SNOWFLAKE_DATABASE", "7movies"),
        ("SNOWFLAKE_DATABASE", "movies\nuse role accountadmin"),
        ("SNOWFLAKE_DATABASE", "fílms"),
        ("REELHOUSE_SETUP_PREFIX", "reel house"),
        ("REELHOUSE_SETUP_PREFIX", "x" * 101),
        ("REELHOUSE_SETUP_OWNER", "sysadmin--"),
        ("REELHOUSE_SETUP_CREDITS", "0"),
        ("REELHOUSE_SETUP_CREDITS", "-5"),
        ("REELHOUSE_SETUP_CREDITS", "10.5"),
        ("REELHOUSE_SETUP_CREDITS", "10 notify_users = (me)"),
        ("REELHOUSE_SETUP_LOADER_KEY", "MIIB"),
        ("REELHOUSE_SETUP_LOADER_KEY", SECRET_KEY),
        ("REELHOUSE_SETUP_LOADER_KEY", PUBLIC_KEY + "'; drop user x; --"),
        (
            "REELHOUSE_SETUP_LOADER_KEY",
            pem(rsa.generate_private_key(65537, 1024).public_key()),
        ),
        (
            "REELHOUSE_SETUP_LOADER_KEY",
            pem(ec.generate_private_key(ec.SECP256R1()).public_key()),
        ),
        ("REELHOUSE_SETUP_CI_SUBJECT", "repo:a/b' or subject = 'x"),
        ("REELHOUSE_SETUP_CI_SUBJECT", "repo:owner/*:pull_request"),
        ("REELHOUSE_SETUP_ISSUER", "http://tokens.example.com"),
        ("REELHOUSE_SETUP_ISSUER", "https://tokens.example.com');"),
        ("REELHOUSE_SETUP_AUDIENCE", "a b"),
        ("REELHOUSE_SETUP_BUCKET", "s3://a-bucket/"),
        ("REELHOUSE_SETUP_BUCKET", "s3://a-bucket/movies"),
        ("REELHOUSE_SETUP_BUCKET", "s3://a-bucket/../other/"),
        ("REELHOUSE_SETUP_BUCKET", "s3://a-bucket/*/"),
        ("REELHOUSE_SETUP_BUCKET", "https://a-bucket/movies/"),
        ("REELHOUSE_SETUP_BUCKET_ROLE", "arn:aws:iam::12:role/x"),
        ("REELHOUSE_SETUP_BUCKET_ROLE", "arn:aws:iam::123456789012:user/x"),
        ("REELHOUSE_SETUP_SNOWFLAKE_ARN", "*"),
        ("REELHOUSE_SETUP_EXTERNAL_ID", '", "x": "'),
        ("REELHOUSE_SETUP_ADDRESSES", "192.0.2.300"),
        ("REELHOUSE_SETUP_ADDRESSES", "192.0.2.1/8"),
        ("REELHOUSE_SETUP_TEARDOWN", "movielens2"),
    ],
)
def test_values_of_the_wrong_form_are_refused_and_not_shown(
    name: str, text: str
) -> None:
    with pytest.raises(ReelhouseError) as refusal:
        variables({**FULL, name: text}, ["teardown"])
    assert f"{name} must " in str(refusal.value)
    assert text not in str(refusal.value)
    assert "PRIVATE" not in str(refusal.value)


def test_one_message_lists_all_that_is_wrong() -> None:
    with pytest.raises(ReelhouseError) as refusal:
        variables(
            {
                "SNOWFLAKE_DATABASE": "a b",
                "REELHOUSE_SETUP_CREDITS": "many",
                "REELHOUSE_SETUP_BUKCET": "s3://a-bucket/in/",
            },
            ["bucket", "teardown"],
        )
    message = str(refusal.value)
    for fault in (
        "docs/snowflake.md lists the variables",
        "SNOWFLAKE_DATABASE must be a name",
        "REELHOUSE_SETUP_CREDITS must be a whole number",
        "REELHOUSE_SETUP_BUCKET is missing",
        "REELHOUSE_SETUP_BUCKET_ROLE is missing",
        "REELHOUSE_SETUP_TEARDOWN is missing",
        "REELHOUSE_SETUP_BUKCET is not a variable of the set-up",
    ):
        assert fault in message


@pytest.mark.parametrize("part", PARTS)
def test_parts_and_databases_of_pull_requests_belong_together(part: str) -> None:
    wrong = "movielens" if part in PULL_REQUEST_PARTS else "movielens_pr_42"
    typed = {"SNOWFLAKE_DATABASE": wrong, "REELHOUSE_SETUP_TEARDOWN": wrong}
    with pytest.raises(ReelhouseError, match=f"part {part}"):
        setup_for(part, **typed)


@settings(deadline=None)
@given(
    name=st.sampled_from(
        [
            *("SNOWFLAKE_DATABASE", "REELHOUSE_SETUP_PREFIX", "REELHOUSE_SETUP_OWNER"),
            *("REELHOUSE_SETUP_CREDITS", "REELHOUSE_SETUP_CI_SUBJECT"),
            *("REELHOUSE_SETUP_ISSUER", "REELHOUSE_SETUP_AUDIENCE"),
        ]
    ),
    text=st.text(
        st.sampled_from("aZ0_ .;:'\"\\/-*$@=(){}%\n\t\u00e9"), min_size=1, max_size=30
    ).filter(str.strip),
)
def test_no_value_adds_a_statement(name: str, text: str) -> None:
    try:
        setup = variables({**FULL, name: text}, ["account"])
    except ReelhouseError:
        return
    made = statements(setup, "account")
    shapes = [re.sub(r"'[^']*'|\w*[A-Z0-9]\w*", "?", each) for each in made]
    usual = statements(setup_for("account"), "account")
    assert shapes == [re.sub(r"'[^']*'|\w*[A-Z0-9]\w*", "?", each) for each in usual]


# --- Running


class Desk:
    """A connection that records its statements, and fails at a given one."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.told: list[str] = []

    @contextmanager
    def cursor(self) -> Iterator[Desk]:
        yield self

    def execute(self, statement: str) -> None:
        self.told.append(statement)
        if self.failing and statement.startswith(self.failing):
            raise connector().errors.ProgrammingError(
                msg="SQL access control error:\nInsufficient privileges", errno=3001
            )

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_apply_runs_parts_in_order() -> None:
    desk: Any = Desk()
    done = apply(desk, setup_for("database"), ["database", "access"])
    database, access = all_statements("database"), all_statements("access")
    assert desk.told == [*database, *access]
    assert done == {"database": len(database), "access": len(access)}


def test_apply_names_the_statement_that_failed_and_stops() -> None:
    desk: Any = Desk(failing="drop schema")
    with pytest.raises(ReelhouseError) as failure:
        apply(desk, setup_for("database"), ["database"])
    assert "of part database failed ('drop schema if exists" in str(failure.value)
    assert "Insufficient privileges" in str(failure.value)
    assert desk.told[-1].startswith("drop schema")


def test_apply_runs_nothing_when_a_part_is_no_sql() -> None:
    desk: Any = Desk()
    with pytest.raises(ReelhouseError, match="print it with --print"):
        apply(desk, setup_for("bucket"), ["bucket", "bucket-policy"])
    assert desk.told == []


def command(*arguments: str, **environ: str) -> Any:
    clean = {name: None for name in FULL if name not in environ}
    login = {name: None for name in os.environ if name.startswith("SNOWFLAKE_")}
    return CliRunner().invoke(
        snowflake_setup.main, arguments, env={**clean, **login, **environ}
    )


def test_the_command_prints_sql_to_paste() -> None:
    done = command("--print", "account", "database")
    assert done.exit_code == 0
    setup = variables({})
    assert done.stdout == render(setup, "account") + "\n" + render(setup, "database")


def test_the_command_names_what_is_missing() -> None:
    done = command("teardown")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "REELHOUSE_SETUP_TEARDOWN is missing" in done.stderr
    done = command("account")
    assert done.exit_code == 1
    assert "set SNOWFLAKE_ACCOUNT and SNOWFLAKE_USER" in done.stderr
    assert command("acount").exit_code == 2


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {"authenticator": "externalbrowser", "private_key": None}),
        (
            {"SNOWFLAKE_PRIVATE_KEY_PATH": "key.p8"},
            {"authenticator": None, "private_key": SECRET_BYTES},
        ),
        (
            {"SNOWFLAKE_PRIVATE_KEY": SECRET_KEY},
            {"authenticator": None, "private_key": SECRET_BYTES},
        ),
        (
            {
                "SNOWFLAKE_AUTHENTICATOR": "workload_identity",
                "SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER": "OIDC",
                "SNOWFLAKE_TOKEN": "a token",
            },
            {
                "authenticator": "WORKLOAD_IDENTITY",
                "workload_identity_provider": "OIDC",
                "token": "a token",
            },
        ),
    ],
)
def test_the_command_logs_in_and_runs(
    environ: dict[str, str],
    expected: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    desk, asked = Desk(), []

    def connect(**options: Any) -> Desk:
        asked.append(options)
        return desk

    monkeypatch.chdir(tmp_path)
    Path("key.p8").write_text(SECRET_KEY)
    monkeypatch.setattr(connector(), "connect", connect)
    login = {
        "SNOWFLAKE_ACCOUNT": "org-one",
        "SNOWFLAKE_USER": "me",
        "SNOWFLAKE_ROLE": "REELHOUSE_CI",
    }
    done = command("whole-run", **login, **environ)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "whole-run: 2 statements ran.\n"
    (options,) = asked
    expected |= {"account": "org-one", "user": "me", "role": None, "database": None}
    if key := options.get("private_key"):
        options["private_key"] = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    assert {name: options.get(name) for name in expected} == expected
    assert desk.told == statements(variables({}), "whole-run")


def test_a_login_without_a_name_says_how_to_do_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in os.environ if name.startswith("SNOWFLAKE_")]:
        monkeypatch.delenv(name)
    with pytest.raises(ReelhouseError, match="Nobody is named to log in to Snowflake"):
        snowflake_setup.connect()


def test_a_refused_login_is_one_sentence_without_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def connect(**_: str) -> None:
        raise connector().errors.DatabaseError(
            msg="Incorrect username\nor token was specified"
        )

    monkeypatch.setattr(connector(), "connect", connect)
    done = command(
        "whole-run",
        SNOWFLAKE_ACCOUNT="org-one",
        SNOWFLAKE_USER="me",
        SNOWFLAKE_AUTHENTICATOR="workload_identity",
        SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER="OIDC",
        SNOWFLAKE_TOKEN="a-very-secret-token",
    )
    assert done.exit_code == 1
    assert done.stderr.startswith("The account org-one does not let me log in (")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.output


@pytest.mark.long
def test_parts_run_on_the_emulator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serve_emulator() as emulator:
        for name, value in emulator_variables(emulator).items():
            monkeypatch.setenv(name, value)
        parts = ["account", "database", "access", "whole-run", "dashboard", "network"]
        for _ in range(2):
            with snowflake_setup.connect() as connection:
                done = apply(connection, setup_for("database"), parts)
                done |= apply(connection, setup_for("pull-request"), ["pull-request"])
    assert done == {
        part: len(all_statements(part)) for part in (*parts, "pull-request")
    }


# --- dbt inside Snowflake


def test_the_profile_names_what_the_set_up_makes(account: Account) -> None:
    path = FILES / "dbt_project/dbt_projects_profiles.yml"
    text = path.read_text(encoding="utf-8")
    assert "{{" not in text
    (target,) = yaml.safe_load(text)["reelhouse"]["outputs"].values()
    for kind, name in (
        ("DATABASE", target["database"]),
        ("SCHEMA", f"{target['database']}.{target['schema']}"),
        ("ROLE", target["role"]),
        ("WAREHOUSE", target["warehouse"]),
    ):
        assert account.owner(kind, name)


# --- The guide


@pytest.mark.parametrize(
    ("monitor", "quota"), [("runs", "CREDITS"), ("readers", "READING_CREDITS")]
)
def test_what_a_month_costs_is_within_the_quota(monitor: str, quota: str) -> None:
    guide = (PROJECT / "docs/snowflake.md").read_text(encoding="utf-8")
    rows = re.findall(rf"\| ([\d.]+) \| {monitor} \|$", guide, re.MULTILINE)
    assert len(rows) == 3
    # At 95 % no new statement may start.
    assert sum(map(float, rows)) <= 0.95 * int(DEFAULTS[quota])
    assert f"| `REELHOUSE_SETUP_{quota}` |" in guide
    assert f"| `{DEFAULTS[quota]}` |" in guide.partition(f"SETUP_{quota}` |")[2][:90]


def test_the_guide_covers_every_part_and_variable() -> None:
    guide = (PROJECT / "docs/snowflake.md").read_text(encoding="utf-8")
    for part in PARTS:
        assert re.search(rf"`{part}`|snowflake_setup [^\n]*\b{part}\b", guide), part
    for name in FORMS.keys() - {"DATABASE"}:
        assert f"`REELHOUSE_SETUP_{name}`" in guide, name
