"""The command line: arguments in, a report or one clear sentence out."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from reelhouse.cli import show
from reelhouse.errors import ReelhouseError
from reelhouse.settings import (
    TARGETS,
    Settings,
    environment,
    powerbi_schemas,
    read_settings,
)

# How often to look whether a server is still there, and how long a command may take
# to stop.
LOOK_SECONDS = 2.0
STOP_SECONDS = 5.0

STOPPED = "Stopped. What was there before is untouched; run it again."

CONTEXT = {"help_option_names": ["-h", "--help"]}


class _Commands(click.Group):
    """Lists commands in the order in which they are declared."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)


@click.group(cls=_Commands, context_settings=CONTEXT)
@click.version_option(package_name="reelhouse")
def main() -> None:
    """Reelhouse: a movie-analytics warehouse on your own machine."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # What a terminal has no letter for is no reason to fail.
            stream.reconfigure(errors="backslashreplace")


def _command(function: Callable[..., Any], failure: int = 1) -> Callable[..., Any]:
    """Add --debug, and turn errors into one sentence and the exit status `failure`."""

    def told(message: object, debug: bool, status: int = failure) -> SystemExit:
        if debug:
            traceback.print_exc()
        else:
            show.error(message)
        return SystemExit(status)

    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @wraps(function)
    def guarded(*args: Any, debug: bool, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except ReelhouseError as error:
            raise told(error, debug) from error
        except KeyboardInterrupt as error:
            raise told(STOPPED, debug, 130) from error
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            why = f"{error.strerror or error}{where}: --debug shows more."
            raise told(why, debug) from error
        except Exception as error:
            # What DuckDB makes of Ctrl-C.
            if str(error) == "Query interrupted":
                raise told(STOPPED, debug, 130) from error
            first = (str(error).strip().splitlines() or ["no message"])[0]
            why = (
                f"Something went wrong that should not ({type(error).__name__}: "
                f"{first}): please report it with what --debug shows."
            )
            raise told(why, debug) from error

    return guarded


_source = click.option(
    "--source",
    metavar="DIR|s3://…",
    help="Folder or S3 address of the files.  [default: $REELHOUSE_SOURCE, or the "
    "sample in data/sample]",
)
_target = click.option(
    "--target",
    metavar="|".join(TARGETS),
    help="dbt target.  [default: $DBT_TARGET, or dev]",
)
_on_error = click.option(
    "--on-error",
    type=click.Choice(["continue", "skip-file", "abort"]),
    default="continue",
    show_default=True,
    help="What bad records do: they are kept aside, their file is refused, or the "
    "load stops.",
)
_accept_shrink = click.option(
    "--accept-shrink",
    is_flag=True,
    help="Let a file lose more of its rows than usual.",
)


@main.command()
@_source
@_target
@_on_error
@_accept_shrink
@click.option(
    "--rebuild",
    is_flag=True,
    help="Make all but the raw tables anew, history from their kept changes; the raw "
    "tables from the backup where the warehouse cannot be read.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Build and test everything, also what is up to date.",
)
@click.option(
    "--unit-tests",
    is_flag=True,
    help="Run the unit tests of what changed, too, or with --all all of them.",
)
@click.option(
    "--report",
    "with_report",
    is_flag=True,
    help="Write the charts of what is published, as `reelhouse report` does.",
)
@_command
def run(
    source: str | None,
    target: str | None,
    on_error: Any,
    accept_shrink: bool,
    rebuild: bool,
    everything: bool,
    unit_tests: bool,
    with_report: bool,
) -> None:
    """Do it all: upload, load, build, test and publish.

    Only what is out of date is built: what new files reach, and what edits of the tree
    reach.
    """
    from reelhouse.run import BuildFailed
    from reelhouse.run import run as run_all

    settings = read_settings(source, target)
    try:
        with show.steps() as progress:
            report = run_all(
                settings,
                on_error=on_error,
                accept_shrink=accept_shrink,
                rebuild=rebuild,
                everything=everything,
                unit_tests=unit_tests,
                progress=progress,
            )
    except BuildFailed as failed:
        show.failures(failed.report, failed.failed)
        raise
    show.run(settings, report)
    if with_report:
        _write_report_if_possible(settings)


def _write_report_if_possible(settings: Settings) -> None:
    """Write the report of a run, which has ended well whatever becomes of it."""
    from reelhouse.dashboard.report import write_report

    try:
        write_report(settings, settings.report)
    except Exception as error:  # noqa: BLE001
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        show.note(
            f"The tables are published, but the report could not be written "
            f"({first.rstrip('.')}): see to it, and make it by `reelhouse report`."
        )
    else:
        show.drawn(settings.report)


@main.command()
@_source
@_target
@_on_error
@_accept_shrink
@click.option("--validate", is_flag=True, help="Load nothing; say what would happen.")
@_command
def load(
    source: str | None,
    target: str | None,
    on_error: Any,
    accept_shrink: bool,
    validate: bool,
) -> None:
    """Load what is new in the source into the raw tables.

    With --validate the exit status is 1 where a record would be rejected.
    """
    from reelhouse.engines.duckdb.load import open_warehouse
    from reelhouse.engines.snowflake import load as snowflake
    from reelhouse.ingest.load import load as load_all
    from reelhouse.ingest.source import open_source
    from reelhouse.locking import writing
    from reelhouse.run import other_source

    settings = read_settings(source, target)
    with (
        writing(settings.warehouse),
        TemporaryDirectory() as scratch,
        show.steps() as progress,
        open_source(settings, progress) as opened,
    ):
        database = settings.database
        if (
            validate
            and not settings.is_snowflake
            and (not database.exists() or other_source(settings))
        ):
            # A trial needs no warehouse, and another source's is none of its business.
            database = Path(scratch) / database.name
        with (
            snowflake.open_warehouse(settings)
            if settings.is_snowflake
            else open_warehouse(database)
        ) as warehouse:
            report = load_all(
                settings,
                opened,
                warehouse,
                on_error=on_error,
                accept_shrink=accept_shrink,
                validate=validate,
                progress=lambda name, done, total: progress(
                    f"load {name}", done, total
                ),
            )
    show.load(report, validate)
    if validate and (report.rejected or report.refused):
        sys.exit(1)


@main.command()
@_target
@_command
def status(target: str | None) -> None:
    """List what is out of date, and why; nothing is built.

    It looks at what is loaded and at the tree, and not at the source.
    """
    from reelhouse.run import state_there

    show.state(state_there(read_settings(None, target)))


@main.command()
@_target
@_command
def publish(target: str | None) -> None:
    """Publish what is built, if all of it is up to date and has passed."""
    from reelhouse.run import publish as publish_there

    settings = read_settings(None, target)
    show.publication(publish_there(settings), settings)


@main.command()
@click.argument("question")
@_target
@_command
def query(question: str, target: str | None) -> None:
    """Ask the published tables one QUESTION, in SQL.

    Example: reelhouse query 'select * from serving.dim_genres'
    """
    from reelhouse.serving.query import ask

    names, rows = ask(read_settings(None, target), question)
    show.table(names, rows)


@main.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port to serve on.  [default: 8501, or any that is free]",
)
@_target
@_command
def dashboard(port: int | None, target: str | None) -> None:
    """Serve the dashboards on this machine, until Ctrl-C."""
    from reelhouse.dashboard.serving import place_of, serving_of
    from reelhouse.dashboard.start import HOST, free_port, start

    settings = read_settings(None, target)
    serving_of(place_of(settings)).version()
    port = free_port(port)
    show.dashboard(f"http://{HOST}:{port}")
    start(settings, port)


@main.command()
@_target
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="HTML file to write.  [default: report.html in the warehouse folder]",
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder to write the two main charts to, as PNG.",
)
@_command
def report(target: str | None, out: Path | None, pictures: Path | None) -> None:
    """Write the charts of all pages into one HTML file.

    It needs nothing else, neither a server nor a network.
    """
    from reelhouse.dashboard.report import write_pictures, write_report

    settings = read_settings(None, target)
    out = out or settings.report
    write_report(settings, out)
    show.written(out)
    for picture in write_pictures(settings, pictures) if pictures else ():
        show.written(picture)


@main.command()
@click.argument("left")
@click.argument("right")
@click.option("--all", "show_all", is_flag=True, help="Show equal tables as well.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="For a terminal, for the summary of a pull request, or for a program.",
)
@partial(_command, failure=2)
def compare(left: str, right: str, show_all: bool, output: str) -> None:
    """Compare the published tables of two sides, row for row.

    LEFT and RIGHT are a published file each, or the name of a target. The exit
    status is 0 where all is equal, 1 where something differs, 2 where they cannot
    be compared.
    """
    from reelhouse.serving.compare import compare as compare_files

    with TemporaryDirectory() as folder:
        comparison = compare_files(
            _published(left, Path(folder) / "left.duckdb"),
            _published(right, Path(folder) / "right.duckdb"),
        )
    if output == "json":
        show.comparison_as_json(comparison, left, right)
    elif output == "markdown":
        show.comparison_as_markdown(comparison, left, right, show_all)
    else:
        show.comparison(comparison, show_all)
    if not comparison.is_equal:
        sys.exit(1)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv"]),
    default="parquet",
    show_default=True,
    help="Parquet keeps types; CSV opens anywhere.",
)
@_target
@_command
def export(folder: Path, form: Any, target: str | None) -> None:
    """Write the published tables into DIR, a file each.

    An earlier export there is replaced as a whole; anything else is left alone, and
    refused. In CSV, text that a spreadsheet would run as a formula has an apostrophe
    before it.
    """
    from reelhouse.serving.export import export as export_tables

    settings = read_settings(None, target)
    with show.steps() as progress:
        made = export_tables(settings, folder, form, progress)
    show.exported(made)


@main.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder to write the project to.",
)
@click.option(
    "--schemas",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Copy of the folder fabric of Microsoft's json-schemas, to validate against.  "
    "[default: $REELHOUSE_POWERBI_SCHEMAS]",
)
@_target
@_command
def powerbi(out: Path, schemas: Path | None, target: str | None) -> None:
    """Write a Power BI project over the tables in Snowflake.

    Tables, types, relations and measures are those of the dbt tree; each is checked to
    be in what the target has published. An earlier project there is replaced as a
    whole, unless it was changed since.
    """
    from reelhouse.powerbi import write_project

    settings = read_settings(None, target)
    show.powerbi(write_project(settings, out, schemas or powerbi_schemas()))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("url")
@_command
def upload(folder: Path, url: str) -> None:
    """Upload the MovieLens files of FOLDER to URL, an S3 address.

    The ordinary AWS variables say which S3 and with what credentials.
    """
    from reelhouse.ingest.source import list_folder, real_bucket, upload_folder

    settings = read_settings()
    listing = list_folder(folder)
    with show.steps() as progress:
        count = upload_folder(real_bucket(settings), folder, listing, url, progress)
    show.uploaded(count, len(listing.ignored), listing.hints, url)


@main.command(context_settings={**CONTEXT, "ignore_unknown_options": True})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@_command
def bucket(command: tuple[str, ...]) -> None:
    """Serve a local S3 with an empty bucket named reelhouse.

    With a COMMAND (after --) it runs that with the AWS variables set and stops with
    it; without, it prints the variables and stays up until Ctrl-C.
    """
    from reelhouse.ingest.source import LOCAL_BUCKET
    from reelhouse.local.bucket import environment as aws_variables
    from reelhouse.local.bucket import serve_bucket
    from reelhouse.s3 import upload as upload_files

    with serve_bucket() as s3:
        upload_files(s3, [], LOCAL_BUCKET)
        variables = aws_variables(s3)
        _serve(
            variables, command, "s3://reelhouse until Ctrl-C; its contents end with it"
        )


@main.command(context_settings={**CONTEXT, "ignore_unknown_options": True})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@_command
def emulator(command: tuple[str, ...]) -> None:
    """Serve a local emulated Snowflake, for the dbt target prod.

    With a COMMAND (after --) it runs that with the Snowflake variables set and stops
    with it; without, it prints the variables and stays up until Ctrl-C. Its stages
    reach the S3 that AWS_ENDPOINT_URL names, such as that of `reelhouse bucket`.
    """
    from reelhouse.local.emulator import environment as snowflake_variables
    from reelhouse.local.emulator import serve_emulator

    with serve_emulator() as settings:
        _serve(
            snowflake_variables(settings),
            command,
            "an emulated Snowflake until Ctrl-C; its tables end with it",
            settings.port,
        )


@main.command()
@click.option("--ratings", type=int, required=True, help="Number of ratings.")
@click.option("--seed", type=int, default=1, show_default=True, help="Any number.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder to write the six files to.",
)
@click.option("--dirty", is_flag=True, help="Plant known faults, and list them.")
@_command
def generate(ratings: int, seed: int, out: Path, dirty: bool) -> None:
    """Write MovieLens-shaped files of any size.

    The same arguments give the same bytes.
    """
    from reelhouse.movielens.generate import generate as generate_files

    with show.steps() as progress:
        try:
            report = generate_files(out, ratings, seed, dirty=dirty, progress=progress)
        except ValueError as error:
            raise ReelhouseError(str(error)) from error
    show.generated(report)


@main.command()
@click.argument("release")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder to write the files to.",
)
@click.option(
    "--accept-licence",
    is_flag=True,
    help="Accept the terms of the data without being asked.",
)
@_command
def download(release: str, out: Path, accept_licence: bool) -> None:
    """Fetch a real RELEASE of MovieLens from GroupLens, verified.

    RELEASE is ml-latest-small, ml-20m, ml-25m, ml-32m or ml-latest.
    """
    from reelhouse.movielens.download import download as fetch

    def agree(terms: str) -> bool:
        show.terms(terms)
        if accept_licence or not sys.stdin.isatty():
            return accept_licence
        return click.confirm("Do you accept these terms?", err=True)

    with show.steps() as progress:
        report = fetch(release, out, agree, progress=progress)
    show.downloaded(report)


@main.command()
@click.option(
    "--ratings",
    "sizes",
    default="1e6",
    show_default=True,
    metavar="N[,N…]",
    callback=lambda _, __, text: _sizes(text),
    help="How many; several sizes tell how time grows.",
)
@click.option(
    "--against",
    default="floor,replay,theirs",
    show_default=True,
    metavar="NAME[,NAME…]",
    callback=lambda _, __, text: _contenders(text),
    help="What to measure beside a run: SQL written by hand, our own SQL without dbt, "
    "Polars, and views over the files; the last two up to 2e7 ratings.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="How often each has its turn; above 2e7 ratings it has one.",
)
@click.option(
    "--memory-limit",
    "limit",
    metavar="SIZE",
    help="What DuckDB may take, such as 4GB.",
)
@click.option(
    "--json",
    "as_json",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File to write every figure to.",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Page to write the tables to, in Markdown, its chart beside it.",
)
@click.option(
    "--account", is_flag=True, help="Count what runs ask of a Snowflake account, too."
)
@_command
def bench(
    sizes: list[int],
    against: list[str],
    rounds: int,
    limit: str | None,
    as_json: Path | None,
    page: Path | None,
    account: bool,
) -> None:
    """Measure a run, and the next one after 1 % new ratings."""
    from tools.bench.figures import tables
    from tools.bench.page import write_page
    from tools.bench.session import bench as measure

    settings = read_settings(None, "dev")
    with show.steps() as progress:
        report = measure(settings, sizes, against, rounds, limit, account, progress)
    for each in tables(report):
        show.figures(each)
    if as_json:
        as_json.write_text(report.as_json(), encoding="utf-8")
        show.written(as_json)
    if page:
        for written in write_page(report, page):
            show.written(written)
    if report.failed:
        raise ReelhouseError(
            f"Some contenders have no figures: do what is said of each, and measure "
            f"again. {' '.join(report.failed)}"
        )


def _sizes(text: str) -> list[int]:
    try:
        return [int(float(each)) for each in text.split(",")]
    except (ValueError, OverflowError):
        raise click.BadParameter("write numbers such as 1e6,2e7.") from None


def _contenders(text: str) -> list[str]:
    from tools.bench.contenders import OTHERS

    names = [each for each in text.split(",") if each]
    if unknown := [each for each in names if each not in OTHERS]:
        raise click.BadParameter(
            f"there is no {unknown[0]}: take some of {', '.join(OTHERS)}."
        )
    return names


def _published(name: str, fetched: Path) -> Path:
    """The published file that a side of a comparison names, fetched if need be."""
    if name not in TARGETS:
        return Path(name)
    settings = read_settings(None, name)
    if not settings.is_snowflake:
        return settings.published
    from reelhouse.engines.snowflake.attempt import fetch_serving

    fetch_serving(fetched)
    return fetched


def _serve(
    variables: dict[str, str],
    command: tuple[str, ...],
    what: str,
    port: int | None = None,
) -> None:
    """Run a command with these variables and exit with its status, or wait.

    Where a port is given, the command is ended when nothing listens there any more.
    """
    if not command:
        show.serving(variables, what)
        sys.stdin.read() if not sys.stdin.isatty() else _wait()
        return
    with environment(variables):
        try:
            process = subprocess.Popen(command)
        except FileNotFoundError:
            raise ReelhouseError(
                f"There is no command '{command[0]}': write one after --, as a shell "
                f"would run it."
            ) from None
        with process:
            try:
                status = _wait_for(process, port)
            except BaseException:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_SECONDS)
                process.kill()
                raise
    sys.exit(status)


def _wait_for(process: subprocess.Popen[bytes], port: int | None) -> int:
    from reelhouse.local.child import listens

    while True:
        try:
            return process.wait(LOOK_SECONDS if port else None)
        except subprocess.TimeoutExpired:
            # The connector would wait for it for ever.
            if port and not listens(port):
                raise ReelhouseError(
                    "The server that this command needs has ended by itself: run it "
                    "again, with less data or with more memory."
                ) from None


def _wait() -> None:
    import signal

    signal.pause()
