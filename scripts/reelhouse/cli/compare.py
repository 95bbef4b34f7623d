"""The command that compares published tables, and its three output formats."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from functools import partial
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
from rich.table import Table

from reelhouse.cli import show
from reelhouse.cli.command import command
from reelhouse.settings import read_settings, targets

if TYPE_CHECKING:
    from reelhouse.serving.compare import Comparison, TableComparison

# What Markdown or a code host may interpret; an underscore inside a word is safe.
MARKUP = re.compile(r"[^\w ,:()–-]|:(?! )|(?<![^\W_])_|_(?![^\W_])")
COUNTED = ("left rows", "right rows", "only left", "only right", "changed rows")


@click.command()
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
@partial(command, failure=2)
def compare(left: str, right: str, show_all: bool, output: str) -> None:
    """Compare the published tables of two sides, row for row.

    LEFT and RIGHT are each a published file or the name of a target. The exit status
    is 0 if all is equal, 1 if something differs, 2 if they cannot be compared.
    """
    from reelhouse.serving.compare import compare as compare_files

    with TemporaryDirectory() as here, TemporaryDirectory() as there:
        comparison = compare_files(
            _published(left, Path(here)),
            _published(right, Path(there)),
        )
    if output == "json":
        as_json(comparison, left, right)
    elif output == "markdown":
        as_markdown(comparison, left, right, show_all)
    else:
        as_text(comparison, show_all)
    if not comparison.is_equal:
        sys.exit(1)


def _published(name: str, scratch: Path) -> Path:
    """Return the file of one side; for a target, perhaps a new file in `scratch`."""
    if name not in targets():
        return Path(name)
    from reelhouse.engines.engine import engine_of

    settings = read_settings(None, name)
    return engine_of(settings).published_file(settings, scratch)


def as_text(comparison: Comparison, show_all: bool = False) -> None:
    """Print the tables that differ, and how; with `show_all`, list equal ones too."""
    shown = [each for each in comparison.tables if show_all or not each.is_equal]
    if shown:
        grid = Table(box=None, header_style="bold", pad_edge=False)
        # Keep names whole; on a narrow terminal, numbers wrap onto a second line.
        grid.add_column("table", no_wrap=True)
        for name in COUNTED:
            grid.add_column(name.replace(" ", "\n"), justify="right", overflow="fold")
        for each in shown:
            grid.add_row(show.safe(each.name), *_counts(each))
        show.out.print(grid)
    for each in comparison.tables:
        if not each.is_equal:
            lines = "\n".join(f"  {line}" for line in differences(each))
            show.out.print(
                f"\n[bold]{show.safe(each.name)}[/]{show.safe(_matched(each))}\n"
                f"{show.safe(lines, may_break=True)}",
                soft_wrap=True,
            )
    if shown:
        show.out.print()
    for line in _how_compared(comparison):
        show.out.print(f"[dim]{show.safe(line)}[/]", soft_wrap=True)
    show.out.print(_verdict(comparison))


def as_markdown(
    comparison: Comparison, left: str, right: str, show_all: bool = False
) -> None:
    """Print the same as Markdown for a pull request; no value can act as markup."""
    shown = [each for each in comparison.tables if show_all or not each.is_equal]
    lines = [
        f"### Published tables: {_marked_down(left)} and {_marked_down(right)}\n",
        f"**{_verdict(comparison)}**",
    ]
    if shown:
        lines.append(f"\n| table | {' | '.join(COUNTED)} |")
        lines.append(f"| --- |{' ---: |' * len(COUNTED)}")
        for each in shown:
            counts = " | ".join(_counts(each))
            lines.append(f"| {_marked_down(each.name)} | {counts} |")
    for each in comparison.tables:
        if not each.is_equal:
            name, matched = _marked_down(each.name), _marked_down(_matched(each))
            lines.append(f"\n**{name}**{matched}\n")
            lines += [f"- {_marked_down(line)}" for line in differences(each)]
    lines += [f"\n{_marked_down(note)}" for note in _how_compared(comparison)]
    click.echo("\n".join(lines))


def as_json(comparison: Comparison, left: str, right: str) -> None:
    """Print the whole comparison for programs, as one JSON object, to stdout only.

    Decimals, dates and timestamps are strings; so are NaN and infinities.
    """
    tables = [{"is_equal": each.is_equal, **asdict(each)} for each in comparison.tables]
    whole = {
        "left": left,
        "right": right,
        "is_equal": comparison.is_equal,
        "tables": tables,
    }
    text = json.dumps(_as_json(whole), indent=2, allow_nan=False)
    # Escape what a code host would obey in a log; the JSON means the same.
    click.echo(text.replace("##[", r"##\u005b"))


def differences(table: TableComparison) -> list[str]:
    """Return a line for each difference between a table's sides, examples last."""
    if table.left_rows is None or table.right_rows is None:
        return [f"only on the {'right' if table.left_rows is None else 'left'}"]
    lines = []
    for each in table.column_differences:
        if each.left and each.right:
            lines.append(f"column {each.column}: {each.left} left, {each.right} right")
        else:
            side = "left" if each.left else "right"
            lines.append(
                f"column {each.column}: {each.left or each.right}, only {side}"
            )
    if table.is_reordered:
        lines.append("columns are in another order")
    if table.changed:
        changed = ", ".join(
            f"{column} in {show.count(count, 'row')}"
            for column, count in table.changed_columns.items()
        )
        lines.append(f"changed: {changed}")
    for change in table.changes:
        where = f"{_row(change.key)}: " if change.key else ""
        left, right = _value(change.left), _value(change.right)
        lines.append(f"{where}{change.column} {left} left, {right} right")
    for side, rows in (("left", table.left_examples), ("right", table.right_examples)):
        for row in rows:
            named = {name: row[name] for name in table.key or row}
            lines.append(f"only {side}: {_row(named)}")
    return lines


def _counts(table: TableComparison) -> list[str]:
    is_by_row = table.method == "rows"
    return [
        "–" if count is None else f"{count:,}"
        for count in (
            table.left_rows,
            table.right_rows,
            table.only_left if is_by_row else None,
            table.only_right if is_by_row else None,
            table.changed if is_by_row and table.key else None,
        )
    ]


def _matched(table: TableComparison) -> str:
    """Return the key by which a table's rows were matched, to follow its name."""
    if table.method == "rows":
        by = ", ".join(table.key) or "whole rows, since the sides have no common key"
        return f", by {by}"
    return ""


def _how_compared(comparison: Comparison) -> list[str]:
    """What was not compared row by row, and what was left out."""
    methods: dict[str, list[str]] = {}
    for each in comparison.tables:
        methods.setdefault(each.method, []).append(each.name)
    notes = {
        "Equal as views of equal tables": methods.get("construction"),
        "Ignored": [
            f"{each.name}.{column}"
            for each in comparison.tables
            for column in each.ignored_columns
        ],
    }
    return [f"{what}: {', '.join(names)}" for what, names in notes.items() if names]


def _verdict(comparison: Comparison) -> str:
    tables = comparison.tables
    differing = sum(not each.is_equal for each in tables)
    if differing:
        verb = "differs" if differing == 1 else "differ"
        return f"{differing} of {show.count(len(tables), 'table')} {verb}."
    return f"All {len(tables)} tables are equal."


def _row(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items())


def _value(value: object) -> str:
    """Return a value as text, with invisible characters of a string escaped."""
    if value is None:
        return "null"
    return repr(value) if isinstance(value, str) else str(value)


def _marked_down(text: str) -> str:
    """Escape everything in a text that Markdown, HTML or a code host may interpret."""
    return MARKUP.sub(lambda found: f"&#{ord(found[0])};", text)


def _as_json(value: object) -> object:
    match value:
        case dict():
            return {name: _as_json(each) for name, each in value.items()}
        case list() | tuple():
            return [_as_json(each) for each in value]
        case float() if not isfinite(value):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case date():
            return value.isoformat()
    return str(value)
