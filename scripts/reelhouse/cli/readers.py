"""Commands for readers of the published tables."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, TextIO

import click

from reelhouse.cli import show
from reelhouse.cli.command import command, out_option, target_option
from reelhouse.errors import ReelhouseError
from reelhouse.settings import read_settings


class _Query(click.Command):
    """Reads an argument that begins with an SQL comment as the question."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        args = [f" {each}" if re.match(r"--\s|--.*\n", each) else each for each in args]
        return super().parse_args(ctx, args)


@click.command(cls=_Query)
@click.argument("question", required=False)
@click.option(
    "--file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Read the question from a file; - is standard input.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    default="table",
    show_default=True,
    help="A table fits the terminal and is rounded; CSV has every digit. JSON writes "
    "numbers that it cannot hold exactly as text.",
)
@target_option
@command
def query(
    question: str | None, file: TextIO | None, form: Any, target: str | None
) -> None:
    """Ask the published tables one QUESTION, in SQL.

    Example: reelhouse query 'select * from serving.dim_genres'
    """
    from reelhouse.serving.query import ask, write

    if (question is None) == (file is None):
        raise ReelhouseError("Give one question, or name its file with --file.")
    if form == "parquet" and sys.stdout.isatty():
        raise ReelhouseError(
            "Parquet is binary: redirect it to a file, as in `> x.parquet`."
        )
    try:
        text = file.read() if file else question or ""
        text.encode()
    except UnicodeError as error:
        raise ReelhouseError("The question is not UTF-8 text.") from error
    names, rows = ask(read_settings(None, target), text)
    if form == "table":
        show.table(names, rows)
    else:
        write(names, rows, form, sys.stdout.buffer)


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port to serve on.  [default: 8501, or any that is free]",
)
@click.option(
    "--preview",
    is_flag=True,
    help="Show what is built, even if it is not published; the pages say so.",
)
@target_option
@command
def dashboard(port: int | None, preview: bool, target: str | None) -> None:
    """Serve the dashboards on this machine, until Ctrl-C.

    Each page is a file in scripts/reelhouse/dashboard/views; a saved change shows at
    once.
    """
    from reelhouse.dashboard.published import Preview, Published, serving_of
    from reelhouse.dashboard.start import HOST, free_port, start

    settings = read_settings(None, target)
    serving_of((Preview if preview else Published)(settings)).version()
    port = free_port(port)
    address = f"http://{HOST}:{port}"
    show.out.print(f"The dashboards: [bold]{address}[/]  [dim](Ctrl-C stops them)[/]")
    start(settings, port, preview)


@click.command()
@target_option
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
@command
def report(target: str | None, out: Path | None, pictures: Path | None) -> None:
    """Write the charts of all pages into one HTML file.

    It needs nothing else, neither a server nor a network.
    """
    from reelhouse.dashboard.report import write_pictures, write_report

    settings = read_settings(None, target)
    out = out or settings.report
    with show.steps() as progress:
        write_report(settings, out, progress)
    show.written(out)
    for picture in write_pictures(settings, pictures) if pictures else ():
        show.written(picture)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv"]),
    default="parquet",
    show_default=True,
    help="Parquet keeps types; CSV opens anywhere.",
)
@click.option(
    "--as-is",
    is_flag=True,
    help="Leave text in CSV as it is, for programs: a spreadsheet may run it.",
)
@target_option
@command
def export(folder: Path, form: Any, as_is: bool, target: str | None) -> None:
    """Write the published tables into DIR, a file each.

    This replaces an earlier export in DIR, and refuses a folder with anything else in
    it, or with a file that was changed since. In CSV, text that a spreadsheet would run
    as a formula has an apostrophe before it, such as '@home; --as-is leaves it out.
    """
    from reelhouse.serving.export import export as export_tables

    settings = read_settings(None, target)
    with show.steps() as progress:
        made = export_tables(settings, folder, form, progress, as_is)
    show.out.print(
        f"{show.count(len(made.tables), 'table')} exported ({made.rows:,} rows) of "
        f"version {made.version}: {show.place(made.folder)}",
        soft_wrap=True,
    )
    if made.replaces:
        show.note(f"It replaces the export of version {made.replaces}.")


@click.command()
@out_option("Folder to write the project to.")
@target_option
@command
def powerbi(out: Path, target: str | None) -> None:
    """Write a Power BI project over the tables in Snowflake.

    Tables, types, relations and measures come from the dbt tree, and every column must
    be published in the target. An earlier project in the folder is replaced as a whole,
    unless it was changed since.
    """
    from reelhouse.powerbi import write_project

    project = write_project(read_settings(None, target), out)
    parts = (
        show.count(project.tables, "table"),
        show.count(project.relations, "relationship"),
        show.count(project.measures, "measure"),
    )
    show.out.print(
        f"{', '.join(parts)} written: {show.place(project.folder)}", soft_wrap=True
    )
    show.out.print("Checked: every column is published, every field is in the model.")
    show.out.print(
        f"\nOpen in Power BI Desktop: {show.place(project.folder / 'Reelhouse.pbip')}"
    )
