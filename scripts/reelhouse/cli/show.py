"""What commands print: progress while they work, a report at the end."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from reelhouse.cli.highlights import BEST, NEWEST, QUESTION
from reelhouse.contract import entities
from reelhouse.serving.query import ask
from reelhouse.settings import PROJECT, Settings
from reelhouse.transform.state import NEW_LOAD, PASSED_ON

if TYPE_CHECKING:
    from reelhouse.ingest.load import LoadReport
    from reelhouse.movielens.download import DownloadReport
    from reelhouse.movielens.generate import GenerateReport
    from reelhouse.powerbi import Project
    from reelhouse.run import RunReport
    from reelhouse.serving.compare import Comparison, TableComparison
    from reelhouse.serving.export import Export
    from reelhouse.serving.publish import Publication
    from reelhouse.transform.build import BuildReport
    from reelhouse.transform.state import State
    from tools.bench.figures import Table as Figures

SHOWN_REASONS = 8
SHOWN_CAUSES = 4
# Whatever Markdown or a forge may act on; an underscore inside a word is none.
MARKUP = re.compile(r"[^\w ,:()–-]|:(?! )|(?<![^\W_])_|_(?![^\W_])")
COUNTED = ("left rows", "right rows", "only left", "only right", "changed rows")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each step that reports itself; nothing outside a terminal."""
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    tasks: dict[str, TaskID] = {}
    lock = threading.Lock()
    is_seen = err.is_terminal
    with Progress(
        *columns, console=err, transient=True, disable=not is_seen
    ) as progress:

        def tell(step: str, done: int, total: int) -> None:
            # dbt tells of its nodes from several threads.
            with lock:
                if step not in tasks:
                    tasks[step] = progress.add_task(escape(step), total=max(total, 1))
            progress.update(tasks[step], completed=done, total=max(total, 1))

        yield tell


def error(message: object) -> None:
    err.print(f"[bold red]reelhouse:[/] {escape(str(message))}", soft_wrap=True)


def note(message: str) -> None:
    out.print(f"  [yellow]![/] {escape(message)}", soft_wrap=True)


def table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows as a table or, where that is too wide for the terminal, row by row."""
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for index, name in enumerate(names):
        values = [row[index] for row in rows]
        is_number = all(isinstance(value, int | float | Decimal) for value in values)
        grid.add_column(escape(name), justify="right" if is_number else "left")
    for row in rows:
        grid.add_row(*(escape(_text(value)) for value in row))
    wide = Console(width=1_000_000, highlight=False, file=sys.stdout)
    width = max(wide.measure(grid).maximum, 1)
    if width <= out.width:
        out.print(grid)
    elif not out.is_terminal:
        wide.width = width
        wide.print(grid)
    else:
        longest = max(map(len, names))
        for row in rows:
            for name, value in zip(names, row, strict=True):
                label = f"[bold]{escape(name):<{longest}}[/]"
                out.print(f"{label}  {escape(_text(value))}", soft_wrap=True)
            out.print()
    out.print(f"[dim]{_count(len(rows), 'row')}[/]")


def load(report: LoadReport, is_trial: bool = False) -> None:
    """What a load did, object by object."""
    if report.entries:
        _objects(report)
    if is_trial:
        out.print("Nothing was loaded: this was a trial.")
    elif report.load_id is None:
        out.print(
            f"Nothing new: {_count(report.unchanged, 'object')} known from before."
        )
    else:
        out.print(f"Load {report.load_id} is complete.")
    _notes(report)


def _objects(report: LoadReport) -> None:
    grid = Table(box=None, header_style="bold", pad_edge=False)
    grid.add_column("file", overflow="fold")
    grid.add_column("")
    for name in ("records", "rows", "new", "rejected", "removed"):
        grid.add_column(name, justify="right")
    for entry in report.entries:
        counts = (
            entry.records,
            entry.rows_loaded,
            entry.rows_new,
            entry.rows_rejected,
            entry.rows_removed,
        )
        grid.add_row(
            escape(entry.file), entry.status, *(f"{count:,}" for count in counts)
        )
    out.print(grid)


def _notes(report: LoadReport) -> None:
    if report.rejected:
        note(f"{_count(report.rejected, 'record')} rejected and kept aside:")
        reasons = sorted(report.reject_reasons.items(), key=lambda item: -item[1])
        for (file, reason), count in reasons[:SHOWN_REASONS]:
            out.print(f"      {count:>7,}  {escape(file)}: {escape(reason)}")
        if len(reasons) > SHOWN_REASONS:
            out.print("               … all of them: serving.health_rejects")
    if report.missing:
        files = ", ".join(report.missing)
        note(f"Not in the source, so their tables are empty: {files}.")
    if report.ignored:
        note(f"Other keys of the source, left alone: {report.ignored:,}.")
    for message in [*report.hints, *report.refused, *report.warnings]:
        note(message)


def failures(report: BuildReport, failed: Path | None) -> None:
    """The failed models and tests, and how to look at their rows."""
    err.print(f"[bold red]The build failed:[/] {len(report.failures)} of its nodes")
    for failure in report.failures:
        kind = failure.kind.replace("_", " ")
        err.print(
            f"  [red]✗[/] {kind} {escape(failure.name)}\n"
            f"      {escape(failure.message)}",
            soft_wrap=True,
        )
    if report.skipped:
        err.print(f"  {_count(report.skipped, 'node')} behind them did not run.")
    tests = [each.name for each in report.failures if each.kind == "test"]
    if tests:
        where = f"REELHOUSE_WAREHOUSE={_short(failed)} " if failed else ""
        target = "" if failed else "--target prod "
        err.print(
            f"To see the rows: {where}.venv/bin/dbt show {target}"
            f"--select {escape(tests[0])}",
            soft_wrap=True,
        )


def run(settings: Settings, report: RunReport) -> None:
    """The closing summary of a run."""
    out.rule(f"[bold]Reelhouse[/] · {escape(settings.source_name)}", style="dim")
    for message in _recovered(report):
        note(message)
    load(report.loaded)
    built, rows, published = report.built, report.loaded.live_rows, report.published
    if report.state:
        out.print()
        _why(report.state, "were")
    for name, reason in report.from_scratch.items():
        out.print(f"{escape(name)} from scratch: {escape(reason)}.", soft_wrap=True)
    told = (
        ""
        if report.stands
        else f"[bold]{_count(built.models, 'model')}[/] built, "
        f"[bold]{_count(built.tests, 'test')}[/] passed, "
    )
    tables = f"[bold]{_count(published.tables, 'table')}[/]" if published else "nothing"
    size = f" ({published.rows:,} rows)" if published else ""
    verb = "stay published" if report.stands else "published"
    out.print(f"{told}{tables} {verb}{size}")
    if rows:
        held = ", ".join(
            f"{rows[name]:,} {name.replace('_', ' ')}" for name in entities()
        )
        out.print(f"The warehouse holds {held}.")
    times = " · ".join(f"{step} {took:.1f} s" for step, took in report.seconds.items())
    total = sum(report.seconds.values())
    out.print(f"[dim]{times} · in all {total:.1f} s[/]")
    _newest(settings)
    _best(settings)
    command = "reelhouse" if which("reelhouse") else ".venv/bin/reelhouse"
    target = " --target prod" if settings.is_snowflake else ""
    out.print("\nWhat next:")
    for words, purpose in (
        ("dashboard", "the dashboards"),
        (f"query '{QUESTION}'", "a table"),
        ("query 'select * from published_tables'", "what there is"),
        ("run --source DIR", "your own files"),
    ):
        out.print(f"  {command} {words + target:<42} [dim]{purpose}[/]")
    out.print(f"[dim]All tables: {_place(settings)}, schema serving[/]")


def _recovered(report: RunReport) -> Iterator[str]:
    """What became of files that the run could not build upon, and what was kept."""
    where = f": its files are now in {_short(report.aside)}" if report.aside else ""
    recovery = report.recovery
    if report.former_source:
        yield f"The warehouse belonged to {report.former_source}{where}."
    elif recovery and not recovery.is_whole and (report.aside or recovery.written_at):
        backup = f"from the backup of {recovery.written_at} UTC"
        places = {"file": "from the damaged file", "backup": backup}
        raw = places[recovery.raw] if recovery.raw else "read anew from the source"
        history = (
            places[recovery.history]
            if recovery.history
            else "recorded again from them"
            if recovery.raw
            else "begun anew"
        )
        yield f"The warehouse is gone or damaged{where}."
        yield f"Its raw rows are {raw}, its history is {history}."
    elif report.aside:
        yield f"There was a backup of another warehouse{where}."


def _newest(settings: Settings) -> None:
    """How old the data itself is, which no delivery can be blamed for."""
    ((event, newest),) = ask(settings, NEWEST)[1]
    if isinstance(newest, datetime):
        days = (settings.now() - newest).days
        age = f"{_count(days, 'day')} before this run" if days > 0 else "of today"
        out.print(f"The newest {event} is of {newest:%Y-%m-%d}, {age}.")


def _best(settings: Settings) -> None:
    names, rows = ask(settings, BEST)
    if not rows:
        return
    grid = Table(box=None, header_style="bold", pad_edge=False)
    grid.add_column(names[0].capitalize(), overflow="fold")
    for name in names[1:]:
        grid.add_column(name, justify="right")
    for title, *numbers in rows:
        shown = (
            f"{each:.3f}" if isinstance(each, float) else f"{each:,}"
            for each in numbers
        )
        grid.add_row(escape(str(title)), *shown)
    out.print()
    out.print(grid)


def state(state: State) -> None:
    """What is out of date, node by node, and why."""
    _why(state, "are")
    if state.stale:
        # Reasons first, then what they reach, models before tests.
        last = {PASSED_ON: 2, NEW_LOAD: 1}
        rows = [
            (state.tree.nodes[each].name, state.tree.nodes[each].kind, reason)
            for each, reason in state.stale.items()
        ]
        rows.sort(key=lambda row: (last.get(row[2], 0), row[1] == "test", row[0]))
        table(("node", "kind", "reason"), rows)


def _why(state: State, verb: str) -> None:
    """How much is out of date, or was, and the reasons of most nodes."""
    if not state.stale:
        out.print("Everything is up to date with the loaded files and with the tree.")
        return
    causes = state.causes
    more = len(causes) - SHOWN_CAUSES
    told = "; ".join(causes[:SHOWN_CAUSES]) + (f"; and {more} more" * (more > 0))
    out.print(
        f"[bold]{len(state.stale):,} of {_count(state.total, 'node')}[/] {verb} out "
        f"of date: {escape(told)}.",
        soft_wrap=True,
    )


def publication(publication: Publication, settings: Settings) -> None:
    out.print(
        f"{_count(publication.tables, 'table')} published "
        f"({publication.rows:,} rows): {_place(settings)}"
    )


def comparison(comparison: Comparison, show_all: bool = False) -> None:
    """The tables that differ, and how; those that are equal, in a line or each."""
    shown = [each for each in comparison.tables if show_all or not each.is_equal]
    if shown:
        grid = Table(box=None, header_style="bold", pad_edge=False)
        # Names are whole; where it is too narrow, numbers go on in a second line.
        grid.add_column("table", no_wrap=True)
        for name in COUNTED:
            grid.add_column(name.replace(" ", "\n"), justify="right", overflow="fold")
        for each in shown:
            grid.add_row(escape(each.name), *_counts(each))
        out.print(grid)
    for each in comparison.tables:
        if not each.is_equal:
            lines = "\n".join(f"  {line}" for line in differences(each))
            out.print(
                f"\n[bold]{escape(each.name)}[/]{escape(_matched(each))}\n"
                f"{escape(lines)}",
                soft_wrap=True,
            )
    if shown:
        out.print()
    for line in _how_compared(comparison):
        out.print(f"[dim]{escape(line)}[/]", soft_wrap=True)
    out.print(_verdict(comparison))


def comparison_as_markdown(
    comparison: Comparison, left: str, right: str, show_all: bool = False
) -> None:
    """The same for the summary of a pull request, values as they are in no markup."""
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


def comparison_as_json(comparison: Comparison, left: str, right: str) -> None:
    """All of it for a program, as one JSON object on stdout alone.

    Decimals, dates and moments are texts; so are numbers that JSON has none for.
    """
    tables = [{"is_equal": each.is_equal, **asdict(each)} for each in comparison.tables]
    whole = {
        "left": left,
        "right": right,
        "is_equal": comparison.is_equal,
        "tables": tables,
    }
    click.echo(json.dumps(_as_json(whole), indent=2, allow_nan=False))


def differences(table: TableComparison) -> list[str]:
    """What tells a table's sides apart, a line each, ending in examples."""
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
            f"{column} in {_count(count, 'row')}"
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
    """By what the rows of a table were matched, behind its name."""
    if table.method == "rows":
        by = ", ".join(table.key) or "whole rows, for want of a key of both sides"
        return f", by {by}"
    return ", by measures" if table.method == "summary" else ""


def _how_compared(comparison: Comparison) -> list[str]:
    """What was not compared row by row, and what was left out."""
    methods: dict[str, list[str]] = {}
    for each in comparison.tables:
        methods.setdefault(each.method, []).append(each.name)
    notes = {
        "Equal by construction, views over equal tables": methods.get("construction"),
        "By measures (counts, sums, extremes), too large for rows": methods.get(
            "summary"
        ),
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
        return f"{differing} of {_count(len(tables), 'table')} {verb}."
    summed = sum(each.method == "summary" for each in tables)
    caveat = f", {summed} of them as far as measures tell" if summed else ""
    return f"All {len(tables)} tables are equal{caveat}."


def _row(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items())


def _value(value: object) -> str:
    """A value so that what is invisible in a text can be seen."""
    if value is None:
        return "null"
    return repr(value) if isinstance(value, str) else str(value)


def _marked_down(text: str) -> str:
    """A text in which Markdown, HTML and a forge find nothing to act on."""
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


def dashboard(address: str) -> None:
    out.print(f"The dashboards: [bold]{address}[/]  [dim](Ctrl-C ends them)[/]")


def written(path: Path) -> None:
    out.print(_short(path), soft_wrap=True)


def drawn(report: Path) -> None:
    """Where the charts are that a run has made."""
    out.print(f"Their charts: {_short(report)}, for any browser", soft_wrap=True)


def exported(made: Export) -> None:
    """What an export holds, and what it took the place of."""
    out.print(
        f"{_count(len(made.tables), 'table')} exported ({made.rows:,} rows) of version "
        f"{made.version}: {_short(made.folder)}",
        soft_wrap=True,
    )
    if made.replaces:
        note(f"The export of version {made.replaces} that was there is replaced.")


def powerbi(project: Project) -> None:
    """What a Power BI project holds, how far it was checked, and how to open it."""
    parts = (
        _count(project.tables, "table"),
        _count(project.relations, "relationship"),
        _count(project.measures, "measure"),
    )
    out.print(f"{', '.join(parts)} written: {_short(project.folder)}", soft_wrap=True)
    out.print("Checked: every column is published, every field is in the model.")
    if project.validated is None:
        note("Not validated against Microsoft's schemas: --schemas names their folder.")
    else:
        validated = _count(project.validated, "file")
        out.print(f"Validated against Microsoft's schemas: {validated}.")
    out.print(f"\nPower BI Desktop opens {_short(project.folder / 'Reelhouse.pbip')}")


def uploaded(count: int, ignored: int, hints: list[str], url: str) -> None:
    out.print(f"{_count(count, 'file')} uploaded to {escape(url)}.")
    if ignored:
        note(f"Other files of the folder, left alone: {ignored:,}.")
    for hint in hints:
        note(hint)


def serving(variables: Mapping[str, str], what: str) -> None:
    for name, value in variables.items():
        out.print(f"export {name}='{value}'", soft_wrap=True)
    err.print(f"Serving {what}.")


def generated(report: GenerateReport) -> None:
    """The files of a generated data set, and the list of its planted faults."""
    grid = Table(box=None, header_style="bold", pad_edge=False)
    grid.add_column("file")
    grid.add_column("records", justify="right")
    for each in report.files:
        grid.add_row(each.name, f"{each.records:,}")
    out.print(grid)
    if report.manifest:
        out.print(f"{_count(report.planted, 'fault')} planted: {report.manifest}")
    out.print(f"\nreelhouse run --source {_short(report.out)}")


def terms(text: str) -> None:
    """The terms of a data set, where a person sees them and a pipe does not."""
    err.print(escape(text), soft_wrap=True)


def downloaded(report: DownloadReport) -> None:
    """The files of a release, and how far they are known to be the published ones."""
    grid = Table(box=None, header_style="bold", pad_edge=False)
    grid.add_column("file")
    grid.add_column("bytes", justify="right")
    for name, size in report.files.items():
        grid.add_row(name, f"{size:,}")
    out.print(grid)
    if not report.is_new:
        out.print("Nothing was fetched: all of it is there from before.")
    elif report.is_fixed:
        out.print("Verified: the SHA-256 of the archive is the published one.")
    else:
        out.print(
            f"Verified: length and CRC-32 of each file. {report.name} changes, so no "
            f"checksum is published for it; this one's SHA-256 is {report.sha256}.",
            soft_wrap=True,
        )
    out.print(f"\nreelhouse run --source {_short(report.out)}")


def figures(table: Figures) -> None:
    """A table of figures below its title."""
    out.print(f"\n[bold]{escape(table.title)}[/]", soft_wrap=True)
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for index, name in enumerate(table.header):
        grid.add_column(name, justify="left" if index < table.labels else "right")
    for row in table.rows:
        grid.add_row(*map(escape, row))
    out.print(grid)
    if table.note:
        out.print(f"[dim]{escape(table.note)}[/]", soft_wrap=True)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _place(settings: Settings) -> str:
    """Where the published tables are."""
    if settings.is_snowflake:
        return "the account's database"
    return _short(settings.published)


def _short(path: Path) -> str:
    """A path as the reader would type it from the project's folder."""
    return str(path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path)
