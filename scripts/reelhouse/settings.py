"""Settings: the one module that reads the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from reelhouse.errors import ReelhouseError

DEFAULT_MAX_SHRINK = 0.1
DEFAULT_MAX_REJECTS = 0.1

# Names are not quoted in SQL, so only names of this form are allowed.
IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]{0,99}"
IDENTIFIER_FORM = "a name of letters, digits and underscores"
MEMORY = r"(?!0+(\.0*)? ?\D)(\d+(\.\d+)? ?[KMGT]i?B|(100|\d{1,2}(\.\d+)?) ?%)"
# The form of each value, as a pattern and in words; the account checks the rest.
LOGIN_FORMS = {
    "SNOWFLAKE_DATABASE": (IDENTIFIER, IDENTIFIER_FORM),
    "SNOWFLAKE_PORT": (r"\d{1,5}", "the number of a port"),
    "SNOWFLAKE_PROTOCOL": ("https?", "https, or http for the emulator"),
    "SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER": (
        "(?i:oidc|aws|azure|gcp)",
        "OIDC, AWS, AZURE or GCP",
    ),
}
# Points the Snowflake connector to a folder without settings of other programs.
NO_SETTINGS = {"SNOWFLAKE_HOME": str(Path(__file__).parent)}
TOKEN_LOGINS = ("oauth", "jwt", "programmatic_access_token")


@dataclass(frozen=True)
class Settings:
    """The settings of a command.

    `source` is a folder or an S3 address; `warehouse` is the folder of the local files;
    `moment` replaces the current time in what a load records (UTC, without zone) and is
    None outside tests and rebuilds; `max_shrink` is the share of an entity's rows that
    a load may remove without --accept-shrink, `max_rejects` the share of a file's
    records it may reject without --accept-rejects; `s3_endpoint` is None for AWS
    itself; `stage` is an external stage of the account that shows the source's bucket.
    """

    source: str
    warehouse: Path
    target: str
    moment: datetime | None
    max_shrink: float
    s3_endpoint: str | None
    stage: str | None = None
    max_rejects: float = DEFAULT_MAX_REJECTS

    @property
    def is_remote(self) -> bool:
        return self.source.startswith("s3://")

    @property
    def is_sample(self) -> bool:
        return Path(self.source).resolve() == project() / "data/sample"

    @property
    def is_snowflake(self) -> bool:
        return targets()[self.target] == "snowflake"

    @property
    def source_name(self) -> str:
        """The source as the ledger names it; folders inside the project are relative.

        So a checkout that moves keeps its warehouse. An S3 address includes the
        endpoint, unless that is AWS itself. Links in a path are not resolved: a link
        that points elsewhere tomorrow is still the same source.
        """
        if self.is_remote:
            address = self.source.rstrip("/")
            # Leave out a password that the address may contain.
            host = urlsplit(self.s3_endpoint or "").netloc.rpartition("@")[2].lower()
            is_aws = not host or host.partition(":")[0].endswith(".amazonaws.com")
            return address if is_aws else f"{address} at {host}"
        folder = Path(os.path.abspath(self.source))  # noqa: PTH100 (links stay)
        for parent in (folder, *folder.parents):
            if parent.resolve() == project():
                return folder.relative_to(parent).as_posix()
        return folder.as_posix()

    @property
    def database(self) -> Path:
        return self.warehouse / "reelhouse.duckdb"

    @property
    def published(self) -> Path:
        return self.warehouse / "published.duckdb"

    @property
    def report(self) -> Path:
        return self.warehouse / "report.html"

    @property
    def backup(self) -> Path:
        return self.warehouse / "backup"

    def now(self) -> datetime:
        """The moment that a load records: UTC, without zone."""
        return self.moment or datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def project(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of the dbt project.

    That is what --project-dir or REELHOUSE_PROJECT_DIR names, else the current folder,
    else the checkout of this package. Raises ReelhouseError if it has no project.
    """
    named = environ.get("REELHOUSE_PROJECT_DIR")
    checkout = Path(__file__).resolve().parents[2]
    for folder in [Path(named)] if named else [Path.cwd()]:
        if (folder / "dbt_project.yml").is_file():
            return folder.resolve()
    # A deployed app has only its own files, so `models` is enough here.
    if not named and (checkout / "models").is_dir():
        return checkout
    where = named or Path.cwd()
    raise ReelhouseError(
        f"There is no Reelhouse project in {where}: run this in a checkout, or name "
        f"one with --project-dir."
    )


def targets() -> dict[str, str]:
    """The targets of profiles.yml, each with the type of its adapter."""
    return _targets(project())


@cache
def _targets(folder: Path) -> dict[str, str]:
    profiles = yaml.safe_load((folder / "profiles.yml").read_text(encoding="utf-8"))
    outputs = profiles["reelhouse"]["outputs"]
    return {name: output["type"] for name, output in outputs.items()}


def read_settings(
    source: str | None = None,
    target: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Read settings from arguments first, then the environment, then defaults.

    Raises ReelhouseError if a value cannot be used.
    """
    target = target or environ.get("DBT_TARGET") or "dev"
    if target not in targets():
        raise ReelhouseError(
            f"There is no target '{target}': use one of {', '.join(targets())} "
            f"(option --target or variable DBT_TARGET)."
        )
    if targets()[target] == "snowflake":
        _check_account(target, environ)
    if source is not None and not source.strip():
        raise ReelhouseError("--source is empty: name a folder or an S3 address.")
    return Settings(
        source=source
        or environ.get("REELHOUSE_SOURCE")
        or str(project() / "data/sample"),
        warehouse=_warehouse(environ),
        target=target,
        moment=_moment(environ.get("REELHOUSE_MOMENT")),
        max_shrink=_share(environ, "REELHOUSE_MAX_SHRINK", DEFAULT_MAX_SHRINK),
        max_rejects=_share(environ, "REELHOUSE_MAX_REJECTS", DEFAULT_MAX_REJECTS),
        s3_endpoint=environ.get("AWS_ENDPOINT_URL_S3")
        or environ.get("AWS_ENDPOINT_URL"),
        stage=_stage(environ.get("REELHOUSE_STAGE")),
    )


def memory_limit(environ: Mapping[str, str] = os.environ) -> str | None:
    """The memory limit for DuckDB, in its own notation; None for its default.

    profiles.yml reads the same variable. Raises ReelhouseError if the value is not a
    size.
    """
    text = environ.get("REELHOUSE_MEMORY_LIMIT")
    if text and not re.fullmatch(MEMORY, text, re.IGNORECASE):
        raise ReelhouseError(
            f"REELHOUSE_MEMORY_LIMIT is '{text}': write a size such as 4GB, or a share "
            f"of the machine's memory such as 50%."
        )
    return text or None


def variables() -> dict[str, str]:
    """All environment variables, for a library that reads some of them."""
    return dict(os.environ)


@contextmanager
def environment(
    values: Mapping[str, str], without: tuple[str, ...] = ()
) -> Iterator[None]:
    """Set environment variables inside the block, and restore the old ones after it.

    Other variables that begin with one of `without` are removed inside the block.
    """
    before = dict(os.environ)
    for name in before:
        if name.startswith(without) and without:
            del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        for name in {*os.environ} - {*before}:
            del os.environ[name]
        os.environ.update(before)


def missing_login(environ: Mapping[str, str]) -> list[str]:
    """Return the missing variables that a login by profiles.yml needs, as text."""
    names = ["SNOWFLAKE_ACCOUNT", "SNOWFLAKE_ROLE", "SNOWFLAKE_WAREHOUSE"]
    login = environ.get("SNOWFLAKE_AUTHENTICATOR", "").lower()
    if login == "workload_identity":
        names.append("SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER")
        # Other providers are asked for a token where the job runs.
        if environ.get("SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER", "").upper() == "OIDC":
            names.append("SNOWFLAKE_TOKEN")
    elif login in TOKEN_LOGINS:
        names.append("SNOWFLAKE_TOKEN")
    else:
        names.append("SNOWFLAKE_USER")
        is_key_pair = login in {"", "snowflake_jwt"}
        if is_key_pair and not environ.get("SNOWFLAKE_PRIVATE_KEY"):
            names.append("SNOWFLAKE_PRIVATE_KEY_PATH")
    others = {
        "SNOWFLAKE_PRIVATE_KEY_PATH": " (or SNOWFLAKE_PRIVATE_KEY, or "
        "SNOWFLAKE_AUTHENTICATOR)"
    }
    return [name + others.get(name, "") for name in names if not environ.get(name)]


def check_login(environ: Mapping[str, str]) -> None:
    """Raise ReelhouseError that names every account variable with a wrong value.

    It shows no value except a path, because a secret may be in the wrong variable.
    """
    faults = list(_faults(environ))
    if faults:
        raise ReelhouseError(
            f"The settings of the account cannot be used: {'; '.join(faults)}."
        )


def _check_account(target: str, environ: Mapping[str, str]) -> None:
    missing = missing_login(environ)
    if missing:
        raise ReelhouseError(
            f"The target {target} needs settings that are missing: "
            f"{', '.join(missing)}. Set {'it' if len(missing) == 1 else 'them'}, or "
            f"try the target without an account with `reelhouse emulator -- …`."
        )
    check_login(environ)


def _faults(environ: Mapping[str, str]) -> Iterator[str]:
    for name, (form, meaning) in LOGIN_FORMS.items():
        text = environ.get(name)
        if text and not re.fullmatch(form, text, re.ASCII):
            yield f"{name} must be {meaning}"
    path = environ.get("SNOWFLAKE_PRIVATE_KEY_PATH")
    if path and environ.get("SNOWFLAKE_PRIVATE_KEY"):
        yield "SNOWFLAKE_PRIVATE_KEY or SNOWFLAKE_PRIVATE_KEY_PATH must be unset"
    elif path and not Path(path).is_file():
        yield (
            f"SNOWFLAKE_PRIVATE_KEY_PATH must be the path of a private key, and {path} "
            f"is not a file"
        )


def _stage(text: str | None) -> str | None:
    if text and not re.fullmatch(r"(?i)raw[.][a-z_][a-z0-9_]*", text):
        raise ReelhouseError(
            f"REELHOUSE_STAGE is '{text}': write the name of a stage in schema raw, "
            f"such as raw.bucket."
        )
    return text or None


def _warehouse(environ: Mapping[str, str]) -> Path:
    name = environ.get("REELHOUSE_WAREHOUSE")
    folder = Path(name).absolute() if name else project() / "data/warehouse"
    if {*"?#"} & {*str(folder)}:
        # DuckDB and dbt would read what follows these as parameters of an address.
        raise ReelhouseError(
            f"The warehouse folder {folder} has a ? or # in its path, which DuckDB and "
            f"dbt cannot work with: set REELHOUSE_WAREHOUSE to another folder."
        )
    return folder


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        if not 1970 <= moment.year <= 9000:
            raise ValueError
    except (ValueError, OverflowError):
        raise ReelhouseError(
            f"REELHOUSE_MOMENT is '{text}': write a UTC moment such as "
            f"2026-01-31T12:00:00."
        ) from None
    return moment


def _share(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name)
    try:
        share = float(text) if text else default
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ReelhouseError(f"{name} is '{text}': write a share from 0 to 1.")
    return share
