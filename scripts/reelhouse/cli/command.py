"""What all commands share: options, error messages and exit statuses."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from reelhouse.cli import show
from reelhouse.errors import ReelhouseError, file_fault, local_fault
from reelhouse.settings import variables

STOPPED = "Stopped. Each file and table is unchanged or complete; run it again."

# The extra of the package that installs each module.
EXTRAS = {
    **dict.fromkeys(
        ("altair", "pandas", "PIL", "pyarrow", "streamlit", "vl_convert"), "dashboard"
    ),
    **dict.fromkeys(("cryptography", "snowflake"), "snowflake"),
    **dict.fromkeys(("fakesnow", "moto"), "local"),
}

CONTEXT = {"help_option_names": ["-h", "--help"]}


def command(function: Callable[..., Any], failure: int = 1) -> Callable[..., Any]:
    """Add --project-dir and --debug; turn an error into a sentence and an exit status.

    The status is `failure`, or 128 plus the signal for Ctrl-C and SIGTERM.
    """

    def told(message: object, debug: bool, status: int = failure) -> SystemExit:
        if debug:
            show.err.print(show.safe(traceback.format_exc(), True), soft_wrap=True)
        else:
            show.error(message)
        return SystemExit(status)

    @click.option(
        "--project-dir",
        metavar="DIR",
        envvar="REELHOUSE_PROJECT_DIR",
        help="Folder of the dbt project.  [default: the current one, or the checkout]",
    )
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @wraps(function)
    def guarded(
        *args: Any, project_dir: str | None, debug: bool, **options: Any
    ) -> Any:
        try:
            Path.cwd()
        except FileNotFoundError as error:
            gone = "The current folder no longer exists: change to another one."
            raise told(gone, debug) from error
        if project_dir:
            # Child processes read the variable too.
            os.environ["REELHOUSE_PROJECT_DIR"] = str(Path(project_dir).absolute())
        stopped: list[int] = []

        def stop(number: int, _: object) -> None:
            # Stop as Ctrl-C does, so that cleanup code runs.
            stopped.append(number)
            raise KeyboardInterrupt

        former = signal.signal(signal.SIGTERM, stop)
        try:
            return function(*args, **options)
        except BrokenPipeError:
            raise  # click exits silently, as other programs do in `… | head`
        except (Exception, KeyboardInterrupt) as error:
            is_stopped = isinstance(error, KeyboardInterrupt | click.Abort)
            # DuckDB turns Ctrl-C into this error.
            if is_stopped or str(error) == "Query interrupted":
                number = stopped[-1] if stopped else signal.SIGINT
                raise told(STOPPED, debug, 128 + number) from error
            raise told(_cause(error), debug) from error
        finally:
            signal.signal(signal.SIGTERM, former)

    return guarded


def _cause(error: Exception | KeyboardInterrupt) -> object:
    """Return the message of an error for the user."""
    if isinstance(error, ReelhouseError):
        return error
    if isinstance(error, OSError):
        return file_fault(error)
    warehouse = variables().get("REELHOUSE_WAREHOUSE") or "data/warehouse"
    kind = type(error).__name__
    if local := local_fault(f"{kind} {error}", Path(warehouse)):
        return local
    missing = f"{getattr(error, 'name', None)}".partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and missing in EXTRAS:
        return (
            f"This needs {missing}, which is not installed: install reelhouse with its "
            f"extra '{EXTRAS[missing]}'."
        )
    first = (str(error).strip().splitlines() or ["no message"])[0]
    return (
        f"Unexpected error ({kind}: {first}): please report it with the output of "
        f"--debug."
    )


target_option = click.option(
    "--target",
    metavar="NAME",
    help="dbt target: dev, ci, prod or another one of profiles.yml.  "
    "[default: $DBT_TARGET, or dev]",
)
LOAD_OPTIONS = (
    click.option(
        "--source",
        metavar="DIR|s3://…",
        help="Folder or S3 address of the files.  [default: $REELHOUSE_SOURCE, or the "
        "sample in data/sample]",
    ),
    target_option,
    click.option(
        "--on-error",
        type=click.Choice(["continue", "skip-file", "abort"]),
        default="continue",
        show_default=True,
        help="Keep bad records aside, refuse their file, or stop the load.",
    ),
    click.option(
        "--accept-shrink",
        is_flag=True,
        help="Accept files that lose more rows than the limit.",
    ),
    click.option(
        "--accept-rejects",
        is_flag=True,
        help="Accept files with more bad records than the limit.",
    ),
)


def load_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that loads files."""
    for option in reversed(LOAD_OPTIONS):
        function = option(function)
    return function


def out_option(text: str) -> Callable[..., Any]:
    """The option that names the folder to write to."""
    return click.option(
        "--out",
        type=click.Path(path_type=Path),
        required=True,
        metavar="DIR",
        help=text,
    )
