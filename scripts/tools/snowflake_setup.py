"""Set-up of a Snowflake account: the SQL of `scripts/snowflake`, checked and run.

`python -m tools.snowflake_setup PART…` runs parts with a person's own login;
with `--print` it prints their SQL instead, to paste into a worksheet. Who runs
which part, what it needs and how to see that it worked: docs/snowflake.md.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

import click
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError

from reelhouse import settings
from reelhouse.engines.snowflake import connection as snowflake
from reelhouse.engines.snowflake.connection import connector
from reelhouse.errors import ReelhouseError
from reelhouse.settings import IDENTIFIER, IDENTIFIER_FORM, PROJECT

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

FILES = PROJECT / "scripts/snowflake"
BUILT_SCHEMAS = ("raw", "staging", "intermediate", "marts", "snapshots", "state")
# Published tables with a column user_id; views read it from these.
MASKED_TABLES = ("dim_users", "fct_ratings", "fct_tags", "mart_user_engagement")
PULL_REQUEST = re.compile(r".+_PR_\d+")
PREFIX = "REELHOUSE_SETUP_"
GITHUB = "https://token.actions.githubusercontent.com"
LEAST_KEY_BITS = 2048


@dataclass(frozen=True)
class Job:
    """Something to be done with a role and a warehouse of its own; times in seconds."""

    name: str
    warehouse: str
    purpose: str
    statement_seconds: int
    queued_seconds: int


JOBS = (
    Job("LOADER", "LOADING", "loads files into the raw tables", 3600, 600),
    Job("TRANSFORMER", "TRANSFORMING", "builds, tests and publishes", 3600, 600),
    Job("REPORTER", "REPORTING", "reads the published tables", 300, 60),
    Job("CI", "CI", "makes databases of pull requests", 1800, 600),
)


@dataclass(frozen=True)
class Part:
    """A file of the set-up, and the variables without which it makes no sense."""

    file: str
    needs: tuple[str, ...] = ()


PARTS = {
    "account": Part("10_account.sql"),
    "database": Part("20_database.sql"),
    "access": Part("30_access.sql"),
    "whole-run": Part("40_whole_run.sql"),
    "bucket": Part("50_bucket.sql", ("BUCKET", "BUCKET_ROLE")),
    "bucket-policy": Part("51_bucket_policy.json", ("BUCKET", "BUCKET_ROLE")),
    "trust-policy": Part("52_trust_policy.json", ("SNOWFLAKE_ARN", "EXTERNAL_ID")),
    "network": Part("60_network.sql", ("ADDRESSES",)),
    "enterprise": Part("70_enterprise.sql"),
    "pull-request": Part("20_database.sql"),
    "drop-pull-request": Part("80_drop_pull_request.sql"),
    "teardown": Part("90_teardown.sql", ("TEARDOWN",)),
}
PULL_REQUEST_PARTS = {"pull-request", "drop-pull-request"}


@dataclass(frozen=True)
class User:
    """A service user: its job, and what it may log in with."""

    job: str
    public_key: str | None
    subject: str | None


@dataclass(frozen=True)
class Setup:
    """The values of the set-up, each of a form that is safe inside its SQL.

    `credits` are for a month; `public_key` of a user is base64 without header;
    `bucket_url` ends in a slash. What a part does not need may be None or empty.
    """

    database: str
    prefix: str
    owner: str
    credits: int
    users: tuple[User, ...]
    issuer: str
    audience: str
    bucket_url: str | None = None
    bucket_role: str | None = None
    snowflake_arn: str | None = None
    external_id: str | None = None
    addresses: tuple[str, ...] = ()
    may_tear_down: bool = False

    @property
    def is_pull_request(self) -> bool:
        return bool(PULL_REQUEST.fullmatch(self.database))

    def name(self, name: str) -> str:
        """The name of a role, warehouse or another object of the account."""
        return f"{self.prefix}_{name}"


def variables(
    environ: Mapping[str, str] = os.environ, parts: Sequence[str] = ()
) -> Setup:
    """The set-up that the environment asks for, with all that `parts` need.

    Raises ReelhouseError that lists every variable that is missing, unknown or of
    the wrong form. It shows no value: a private key may have been put there.
    """
    reading = _Reading(environ)
    needed = {name for part in parts for name in _part(part).needs}
    database = reading.matching(
        "SNOWFLAKE_DATABASE",
        "MOVIELENS",
        IDENTIFIER,
        IDENTIFIER_FORM,
    ).upper()
    prefix = reading.identifier("PREFIX", "REELHOUSE")
    reading.faults += filter(None, (_wrong_database(database, p) for p in parts))
    typed = reading.value("TEARDOWN")
    if typed is not None and typed.upper() != database:
        reading.fault("TEARDOWN", "the name of the database to drop, once more")
    users = tuple(
        User(job.name, reading.key(f"{job.name}_KEY"), reading.subject(job.name))
        for job in JOBS
    )
    setup = Setup(
        database=database,
        prefix=prefix,
        owner=reading.identifier(
            "OWNER",
            f"{prefix}_CI" if PULL_REQUEST.fullmatch(database) else "SYSADMIN",
        ),
        credits=reading.credits(),
        users=tuple(user for user in users if user.public_key or user.subject),
        issuer=reading.form("ISSUER", r"https://[\w.:/-]+", "an https address")
        or GITHUB,
        audience=reading.form("AUDIENCE", r"[\w.:/-]+", "the audience of the tokens")
        or "snowflakecomputing.com",
        bucket_url=reading.form(
            "BUCKET",
            r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([\w=-][\w=.-]*/)+",
            "s3://bucket/folder/, with a slash at its end",
        ),
        bucket_role=reading.form(
            "BUCKET_ROLE",
            r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+",
            "the ARN of a role, arn:aws:iam::<account>:role/<name>",
        ),
        snowflake_arn=reading.form(
            "SNOWFLAKE_ARN",
            r"arn:aws[\w-]*:iam::\d{12}:(user|role)/[\w+=,.@/-]+",
            "STORAGE_AWS_IAM_USER_ARN as `desc integration` shows it",
        ),
        external_id=reading.form(
            "EXTERNAL_ID",
            r"[\w+=,.@:/-]{2,1224}",
            "STORAGE_AWS_EXTERNAL_ID as `desc integration` shows it",
        ),
        addresses=reading.addresses(),
        may_tear_down=typed is not None,
    )
    reading.raise_faults(needed)
    return setup


def render(setup: Setup, part: str) -> str:
    """The text of a part: SQL with its comments, or the JSON of a policy.

    Raises ReelhouseError for a part that does not exist, is not for this database,
    or needs a value that is not set.
    """
    if fault := _wrong_database(setup.database, part):
        raise ReelhouseError(f"No part of the set-up was run: {fault}.")
    template = _environment().get_template(_part(part).file)
    try:
        return template.render(_values(setup))
    except UndefinedError as error:
        needs = " and ".join(PREFIX + name for name in _part(part).needs)
        raise ReelhouseError(
            f"Part {part} needs {needs}: set what is blank."
        ) from error


def statements(setup: Setup, part: str) -> list[str]:
    """The SQL statements of a part in order, without comments and semicolons.

    Raises ReelhouseError as `render` does, and for a part that is no SQL.
    """
    if not _part(part).file.endswith(".sql"):
        raise ReelhouseError(
            f"Part {part} is no SQL to run but a policy for AWS: print it with --print."
        )
    text = StringIO(render(setup, part))
    split = connector().util_text.split_statements(text, remove_comments=True)
    return [sql for sql in (sql.strip("; \n") for sql, _ in split) if sql]


def apply(
    connection: SnowflakeConnection, setup: Setup, parts: Iterable[str]
) -> dict[str, int]:
    """Run parts one after the other; the number of statements of each.

    Raises ReelhouseError that names the statement that failed. What ran before it
    stays: every statement can run again.
    """
    planned = {part: statements(setup, part) for part in parts}
    for part, commands in planned.items():
        for number, command in enumerate(commands, start=1):
            try:
                with connection.cursor() as cursor:
                    cursor.execute(command)
            except connector().errors.Error as error:
                message = " ".join(str(error.msg or error).split())
                raise ReelhouseError(
                    f"Statement {number} of {len(commands)} of part {part} failed "
                    f"('{' '.join(command.split())[:60]}': {message}): mend what it "
                    f"says and run the part again; what ran before stays."
                ) from error
    return {part: len(commands) for part, commands in planned.items()}


def connect() -> SnowflakeConnection:
    """A connection of the person, or the CI job, that the environment names.

    A private key or a workload identity is used where there is one, and a browser
    otherwise. Raises ReelhouseError where the login does not work.
    """
    environ = settings.variables()
    # The set-up names the roles that it runs with itself.
    login = {"SNOWFLAKE_ROLE": "", "SNOWFLAKE_WAREHOUSE": ""}
    names = ("PRIVATE_KEY", "PRIVATE_KEY_PATH", "AUTHENTICATOR")
    if not any(environ.get(f"SNOWFLAKE_{name}") for name in names):
        login["SNOWFLAKE_AUTHENTICATOR"] = "externalbrowser"
    missing = [n for n in settings.missing_login(environ | login) if n not in login]
    if missing:
        raise ReelhouseError(
            f"Nobody is named to log in to Snowflake: set {' and '.join(missing)}, or "
            f"print the SQL with --print and run it in a worksheet."
        )
    settings.check_login(environ)
    with settings.environment(login):
        connection: SnowflakeConnection = snowflake.connect(in_database=False)
    return connection


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("parts", nargs=-1, required=True, metavar="PART…")
@click.option("--print", "is_printed", is_flag=True, help="Print, and run nothing.")
def main(parts: tuple[str, ...], is_printed: bool) -> None:
    """Set up a Snowflake account, PART by PART; docs/snowflake.md explains each.

    \b
    account            roles, warehouses, resource monitor, service users
    database           database, schemas, file format, stage
    access             who may read and write what
    whole-run          lets one role load, build and publish
    bucket             storage integration and stage of a bucket
    bucket-policy      what AWS lets the role do (JSON, --print)
    trust-policy       who may take the role on AWS (JSON, --print)
    network            optional: addresses that service users come from
    enterprise         needs Enterprise Edition: masking, more clusters
    pull-request       a database for a pull request
    drop-pull-request  removes it
    teardown           removes what all the parts made
    """
    try:
        setup = variables(os.environ, parts)
        if is_printed:
            click.echo("\n".join(render(setup, part) for part in parts), nl=False)
            return
        for part in parts:
            statements(setup, part)
        with connect() as connection:
            for part, number in apply(connection, setup, parts).items():
                click.echo(f"{part}: {number} statements ran.")
    except ReelhouseError as error:
        click.echo(str(error), err=True)
        sys.exit(1)


class _Reading:
    """Reads variables one by one and keeps what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.known = {PREFIX + name for part in PARTS.values() for name in part.needs}
        self.faults: list[str] = []

    def value(self, name: str) -> str | None:
        """The text of a variable without its prefix; None where it is blank."""
        self.known.add(PREFIX + name)
        return self.environ.get(PREFIX + name, "").strip() or None

    def fault(self, name: str, form: str) -> None:
        self.faults.append(f"{PREFIX}{name} must be {form}")

    def matching(self, name: str, default: str, pattern: str, form: str) -> str:
        text = self.environ.get(name, "").strip() or default
        if not re.fullmatch(pattern, text, re.ASCII):
            self.faults.append(f"{name} must be {form}")
        return text

    def identifier(self, name: str, default: str) -> str:
        self.known.add(PREFIX + name)
        return self.matching(
            PREFIX + name, default, IDENTIFIER, IDENTIFIER_FORM
        ).upper()

    def form(self, name: str, pattern: str, form: str) -> str | None:
        text = self.value(name)
        if text is not None and not re.fullmatch(pattern, text, re.ASCII):
            self.fault(name, form)
        return text

    def credits(self) -> int:
        text = self.value("CREDITS") or "10"
        if not re.fullmatch(r"[1-9]\d{0,5}", text, re.ASCII):
            self.fault("CREDITS", "a whole number of credits a month, at least 1")
            return 0
        return int(text)

    def key(self, name: str) -> str | None:
        """A public key as PEM or base64; base64 on one line without header."""
        text = self.value(name)
        if text is None:
            return None
        body = re.sub(r"-----(BEGIN|END) PUBLIC KEY-----|\s", "", text)
        try:
            key = load_der_public_key(base64.b64decode(body, validate=True))
        except (ValueError, binascii.Error, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, RSAPublicKey) or key.key_size < LEAST_KEY_BITS:
            self.fault(
                name, f"an RSA public key of at least {LEAST_KEY_BITS} bits (PEM)"
            )
        return body

    def subject(self, job: str) -> str | None:
        return self.form(
            f"{job}_SUBJECT",
            r"[\w.:/@=-]{3,255}",
            "the subject of the job's tokens, such as "
            "repo:<owner>/<name>:environment:<environment>",
        )

    def addresses(self) -> tuple[str, ...]:
        found = [a.strip() for a in (self.value("ADDRESSES") or "").split(",")]
        try:
            return tuple(str(ipaddress.IPv4Network(a)) for a in found if a)
        except ValueError:
            self.fault("ADDRESSES", "IPv4 addresses or ranges with commas between")
            return ()

    def raise_faults(self, needed: Iterable[str]) -> None:
        missing = [n for n in sorted(needed) if self.value(n) is None]
        self.faults += [f"{PREFIX}{name} is missing" for name in missing]
        unknown = {n for n in self.environ if n.startswith(PREFIX)} - self.known
        self.faults += [f"{n} is no variable of the set-up" for n in sorted(unknown)]
        if self.faults:
            raise ReelhouseError(
                f"Nothing was run: {'; '.join(self.faults)}. docs/snowflake.md lists "
                f"the variables."
            )


def _part(name: str) -> Part:
    if name not in PARTS:
        raise ReelhouseError(
            f"There is no part '{name}' of the set-up: use {', '.join(PARTS)}."
        )
    return PARTS[name]


def _wrong_database(database: str, part: str) -> str | None:
    """Why a part is not for a database, if so."""
    if bool(PULL_REQUEST.fullmatch(database)) == (part in PULL_REQUEST_PARTS):
        return None
    if part in PULL_REQUEST_PARTS:
        return f"SNOWFLAKE_DATABASE must end in _PR_ and a number for part {part}"
    return f"SNOWFLAKE_DATABASE is that of a pull request, which part {part} is not for"


def _values(setup: Setup) -> dict[str, Any]:
    """What the files of the set-up may name; what is not set is left out."""
    roles = {
        job.name.lower(): {
            "name": setup.name(job.name),
            "warehouse": setup.name(job.warehouse),
            "purpose": job.purpose,
            "statement_seconds": job.statement_seconds,
            "queued_seconds": job.queued_seconds,
        }
        for job in JOBS
    }
    users = [
        {
            "name": setup.name(user.job),
            "warehouse": roles[user.job.lower()]["warehouse"],
            "public_key": user.public_key,
            "subject": user.subject,
        }
        for user in setup.users
    ]
    values = {
        **roles,
        "roles": list(roles.values()),
        "users": users,
        "database": setup.database,
        "owner": setup.owner,
        "publisher": setup.owner
        if setup.is_pull_request
        else setup.name("TRANSFORMER"),
        "is_pull_request": setup.is_pull_request,
        "dropped_database": setup.database if setup.may_tear_down else None,
        "built_schemas": BUILT_SCHEMAS,
        "masked_tables": MASKED_TABLES,
        "monitor": setup.name("MONITOR"),
        "integration": setup.name("BUCKET"),
        "network_policy": setup.name("NETWORK"),
        "credits": setup.credits,
        "issuer": setup.issuer,
        "audience": setup.audience,
        "addresses": ", ".join(f"'{each}'" for each in setup.addresses) or None,
        "bucket_url": setup.bucket_url,
        "bucket_role": setup.bucket_role,
        "snowflake_arn": setup.snowflake_arn,
        "external_id": setup.external_id,
    }
    if setup.bucket_url and setup.bucket_role:
        bucket, _, folder = setup.bucket_url.removeprefix("s3://").partition("/")
        # A bucket's own address lies in the partition of the role: aws, aws-cn …
        partition = setup.bucket_role.split(":")[1]
        values |= {"bucket": bucket, "folder": folder, "partition": partition}
    return {name: value for name, value in values.items() if value is not None}


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FILES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # values are checked before they come here
    )


if __name__ == "__main__":
    main()
