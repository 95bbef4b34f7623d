"""Set-up of a Snowflake account: the SQL of `scripts/snowflake`, checked and run.

`python -m tools.snowflake_setup PART…` runs parts with a person's own login;
with `--print` it prints their SQL instead, to paste into a worksheet. Who runs
which part, what it needs and how to see that it worked: docs/snowflake.md.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any

import click
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reelhouse import settings
from reelhouse.engines.snowflake import connection as snowflake
from reelhouse.engines.snowflake.connection import connector
from reelhouse.errors import ReelhouseError
from reelhouse.settings import IDENTIFIER, IDENTIFIER_FORM, project

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

FILES = project() / "scripts/snowflake"
PREFIX = "REELHOUSE_SETUP_"
JOBS = ("LOADER", "TRANSFORMER", "REPORTER", "CI")
SCHEMAS = ("raw", "staging", "intermediate", "marts", "snapshots", "state")
# Published tables with a column user_id; views read it from these.
MASKED_TABLES = ("dim_users", "fct_ratings", "fct_tags", "mart_user_engagement")
LEAST_KEY_BITS = 2048

# The file of each part, and the variables that it cannot do without.
PARTS: dict[str, tuple[str, ...]] = {
    "account": ("10_account.sql",),
    "database": ("20_database.sql",),
    "access": ("30_access.sql",),
    "whole-run": ("40_whole_run.sql",),
    "bucket": ("50_bucket.sql", "BUCKET", "BUCKET_ROLE"),
    "bucket-policy": ("51_bucket_policy.json", "BUCKET", "BUCKET_ROLE"),
    "trust-policy": ("52_trust_policy.json", "SNOWFLAKE_ARN", "EXTERNAL_ID"),
    "dashboard": ("60_dashboard.sql",),
    "network": ("65_network.sql", "ADDRESSES"),
    "enterprise": ("70_enterprise.sql",),
    "pull-request": ("20_database.sql",),
    "drop-pull-request": ("80_drop_pull_request.sql",),
    "teardown": ("90_teardown.sql", "TEARDOWN"),
}
PULL_REQUEST_PARTS = {"pull-request", "drop-pull-request"}

# The values that the files of the set-up can use.
Setup = dict[str, Any]


def _matching(pattern: str, text: str) -> str:
    if not re.fullmatch(pattern, text, re.ASCII):
        raise ValueError
    return text


def _name(text: str) -> str:
    return _matching(IDENTIFIER, text).upper()


def _key(text: str) -> str:
    """A public key, PEM or base64, as base64 on one line without header."""
    body = re.sub(r"-----(BEGIN|END) PUBLIC KEY-----|\s", "", text)
    key = load_der_public_key(base64.b64decode(body, validate=True))
    if not isinstance(key, RSAPublicKey) or key.key_size < LEAST_KEY_BITS:
        raise ValueError
    return body


def _addresses(text: str) -> str:
    found = [ipaddress.IPv4Network(each.strip()) for each in text.split(",")]
    return ", ".join(f"'{each}'" for each in found)


def _form(pattern: str, words: str) -> tuple[Callable[[str], str], str]:
    return partial(_matching, pattern), words


NAME = _name, IDENTIFIER_FORM
KEY = _key, f"an RSA public key of at least {LEAST_KEY_BITS} bits (PEM)"
SUBJECT = _form(
    r"[\w.:/@=-]{3,255}",
    "the subject of the job's tokens, such as "
    "repo:<owner>/<name>:environment:<environment>",
)
CREDITS = _form(r"[1-9]\d{0,5}", "a whole number of credits a month, at least 1")
# A function that checks each value, so that it is safe inside SQL, and its form.
FORMS = {
    "DATABASE": NAME,
    "PREFIX": NAME,
    "OWNER": NAME,
    "CREDITS": CREDITS,
    "READING_CREDITS": CREDITS,
    **{f"{job}_KEY": KEY for job in JOBS},
    **{f"{job}_SUBJECT": SUBJECT for job in JOBS},
    "ISSUER": _form(r"https://[\w.:/-]+", "an https address"),
    "AUDIENCE": _form(r"[\w.:/-]+", "the audience of the tokens"),
    "BUCKET": _form(
        r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([\w=-][\w=.-]*/)+",
        "s3://bucket/folder/, with a slash at its end",
    ),
    "BUCKET_ROLE": _form(
        r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+",
        "the ARN of a role, arn:aws:iam::<account>:role/<name>",
    ),
    "SNOWFLAKE_ARN": _form(
        r"arn:aws[\w-]*:iam::\d{12}:(user|role)/[\w+=,.@/-]+",
        "STORAGE_AWS_IAM_USER_ARN as `desc integration` shows it",
    ),
    "EXTERNAL_ID": _form(
        r"[\w+=,.@:/-]{2,1224}",
        "STORAGE_AWS_EXTERNAL_ID as `desc integration` shows it",
    ),
    "ADDRESSES": (_addresses, "IPv4 addresses or ranges, commas between"),
    "TEARDOWN": (_name, "the name of the database to drop, once more"),
}
DEFAULTS = {
    "DATABASE": "MOVIELENS",
    "PREFIX": "REELHOUSE",
    "CREDITS": "10",
    "READING_CREDITS": "10",
    "ISSUER": "https://token.actions.githubusercontent.com",
    "AUDIENCE": "snowflakecomputing.com",
}


def variables(
    environ: Mapping[str, str] = os.environ, parts: Sequence[str] = ()
) -> Setup:
    """Return the set-up that the environment asks for, with all that `parts` need.

    Its keys are the names of the variables without prefix, in lower case. Raises a
    ReelhouseError that lists every variable that is missing, unknown or of the wrong
    form. The error shows no value, because one may be a private key.
    """
    texts = {name: environ.get(_variable(name), "").strip() for name in FORMS}
    setup: Setup = {}
    faults = []
    for name, (read, form) in FORMS.items():
        try:
            if text := texts[name] or DEFAULTS.get(name):
                setup[name.lower()] = read(text)
        except (ValueError, UnsupportedAlgorithm):
            faults.append(f"{_variable(name)} must be {form}")
    database = setup.get("database", "")
    is_pull_request = bool(re.fullmatch(r".+_PR_\d+", database))
    owner = f"{setup.get('prefix')}_CI" if is_pull_request else "SYSADMIN"
    setup = {"owner": owner, **setup, "is_pull_request": is_pull_request}
    logins = {
        job: (setup.get(f"{job}_key".lower()), setup.get(f"{job}_subject".lower()))
        for job in JOBS
    }
    setup |= {"roles": JOBS, "schemas": SCHEMAS, "masked_tables": MASKED_TABLES}
    setup["session"] = snowflake.SESSION
    setup["logins"] = {job: each for job, each in logins.items() if any(each)}
    if setup.get("teardown", database) != database:
        faults.append(f"{PREFIX}TEARDOWN must be {FORMS['TEARDOWN'][1]}")
    for part in parts:
        faults += [
            f"{_variable(name)} is missing"
            for name in PARTS[part][1:]
            if not texts[name]
        ]
        if is_pull_request and part not in PULL_REQUEST_PARTS:
            faults.append(
                f"SNOWFLAKE_DATABASE is that of a pull request, which part {part} is "
                f"not for"
            )
        if not is_pull_request and part in PULL_REQUEST_PARTS:
            faults.append(
                f"SNOWFLAKE_DATABASE must end in _PR_ and a number for part {part}"
            )
    known = {_variable(name) for name in FORMS}
    unknown = {name for name in environ if name.startswith(PREFIX)} - known
    faults += [f"{name} is not a variable of the set-up" for name in sorted(unknown)]
    if faults:
        raise ReelhouseError(
            f"Nothing was run: {'; '.join(faults)}. docs/snowflake.md lists the "
            f"variables."
        )
    return setup


def render(setup: Setup, part: str) -> str:
    """The text of a part: SQL with its comments, or the JSON of a policy.

    `setup` must have been read for this part.
    """
    environment = Environment(
        loader=FileSystemLoader(FILES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # values are checked before they come here
    )
    return environment.get_template(PARTS[part][0]).render(setup)


def statements(setup: Setup, part: str) -> list[str]:
    """The SQL statements of a part in order, without comments and semicolons.

    Raises ReelhouseError for a part that is not SQL.
    """
    if not PARTS[part][0].endswith(".sql"):
        raise ReelhouseError(
            f"Part {part} is not SQL but a policy for AWS: print it with --print."
        )
    text = StringIO(render(setup, part))
    split = connector().util_text.split_statements(text, remove_comments=True)
    return [sql for sql in (sql.strip("; \n") for sql, _ in split) if sql]


def apply(
    connection: SnowflakeConnection, setup: Setup, parts: Iterable[str]
) -> dict[str, int]:
    """Run parts one after the other; return the number of statements of each.

    Raises a ReelhouseError that names the statement that failed. What ran before it
    stays in effect: every statement can run again.
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
                    f"('{' '.join(command.split())[:60]}': {message}): fix this "
                    f"and run the part again; earlier statements stay done."
                ) from error
    return {part: len(commands) for part, commands in planned.items()}


def connect() -> SnowflakeConnection:
    """Open a connection for the person or CI job that the environment names.

    It logs in with a private key or a workload identity if there is one, and otherwise
    with a browser. Raises ReelhouseError if the login does not work.
    """
    environ = settings.variables()
    # The SQL of the set-up itself says which roles it runs with.
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
        connection: SnowflakeConnection = snowflake.connect("prod", None)
    return connection


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("parts", nargs=-1, required=True, type=click.Choice([*PARTS]))
@click.option("--print", "is_printed", is_flag=True, help="Print, and run nothing.")
def main(parts: tuple[str, ...], is_printed: bool) -> None:
    """Set up a Snowflake account, part by part; docs/snowflake.md explains each."""
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


def _variable(name: str) -> str:
    return "SNOWFLAKE_DATABASE" if name == "DATABASE" else PREFIX + name


if __name__ == "__main__":
    main()
