"""The command `bench`: measure, and print tables of figures."""

from __future__ import annotations

from pathlib import Path

import click

from reelhouse.cli import show
from reelhouse.cli.command import command
from reelhouse.settings import read_settings
from tools.bench import figures
from tools.bench.page import page_of
from tools.bench.session import bench as measure


@click.command()
@click.option(
    "--ratings",
    "sizes",
    default="1e6",
    show_default=True,
    metavar="N[,N…]",
    callback=lambda _, __, text: _sizes(text),
    help="Number of ratings; several sizes show how time grows.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Number of rounds; above 2e7 ratings there is one.",
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
    help="Page to write the tables to, in Markdown, below the text that it has.",
)
@command
def bench(
    sizes: list[int],
    rounds: int,
    limit: str | None,
    as_json: Path | None,
    page: Path | None,
) -> None:
    """Measure a first run, the next ones, plain dbt, and SQL written by hand."""
    with show.steps() as progress:
        settings = read_settings(None, "dev")
        report = measure(settings, sizes, rounds, limit, progress)
    for table in figures.tables(report):
        _print(table)
    if as_json:
        as_json.write_text(report.as_json(), encoding="utf-8")
        show.written(as_json)
    if page:
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        page.write_text(page_of(report, text), encoding="utf-8")
        show.written(page)


def _sizes(text: str) -> list[int]:
    try:
        return [int(float(each)) for each in text.split(",")]
    except (ValueError, OverflowError):
        raise click.BadParameter("write numbers such as 1e6,2e7.") from None


def _print(table: figures.Table) -> None:
    """Print a table of figures below its title."""
    show.out.print(f"\n[bold]{show.safe(table.title)}[/]", soft_wrap=True)
    grid = show.grid(table.header, table.labels)
    for row in table.rows:
        grid.add_row(*map(show.safe, row))
    show.out.print(grid)
