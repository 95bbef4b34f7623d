"""Commands from files to published tables: run, load, status, publish."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from reelhouse.cli import show
from reelhouse.cli.command import (
    command,
    load_options,
    target_option,
)
from reelhouse.cli.highlights import BEST, NEWEST, QUESTION
from reelhouse.contract import entities
from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings, read_settings

if TYPE_CHECKING:
    from reelhouse.ingest.load import LoadReport
    from reelhouse.run import RunReport
    from reelhouse.transform.build import BuildReport
    from reelhouse.transform.state import State

SHOWN_REASONS = 8
SHOWN_CAUSES = 4


@click.command()
@load_options
@click.option(
    "--rebuild",
    is_flag=True,
    help="Build everything from scratch and record history again, from the raw tables; "
    "restore those from the backup if they cannot be read or were changed by hand.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Build and test everything, even what is up to date.",
)
@click.option(
    "--unit-tests",
    is_flag=True,
    help="Also run the unit tests of changed models, or with --all of all models.",
)
@click.option(
    "--report",
    "with_report",
    is_flag=True,
    help="Also write the charts, as `reelhouse report` does.",
)
@command
def run(
    source: str | None, target: str | None, with_report: bool, **options: Any
) -> None:
    """Do it all: load, build, test and publish.

    It builds only what new files or edits of the tree affect.
    """
    from reelhouse.run import BuildFailed
    from reelhouse.run import run as run_all

    settings = read_settings(source, target)
    try:
        with show.steps() as progress:
            report = run_all(settings, **options, progress=progress)
    except BuildFailed as failed:
        _show_failures(failed.report, failed.failed)
        raise
    with show.telling():
        _show_run(settings, report)
    if with_report:
        _write_report_if_possible(settings)


def _write_report_if_possible(settings: Settings) -> None:
    """Write the charts of a successful run; if that fails, print a note instead."""
    from reelhouse.dashboard.report import write_report

    try:
        with show.steps() as progress:
            write_report(settings, settings.report, progress)
    except Exception as error:  # noqa: BLE001
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        show.note(
            f"The tables are published, but the report could not be written "
            f"({first.rstrip('.')}): fix this, then run `reelhouse report`."
        )
    else:
        show.out.print(
            f"Charts: {show.place(settings.report)} (open it in any browser)",
            soft_wrap=True,
        )


@click.command()
@load_options
@click.option("--validate", is_flag=True, help="Load nothing; say what would happen.")
@command
def load(
    source: str | None, target: str | None, validate: bool, **options: Any
) -> None:
    """Load what is new in the source into the raw tables.

    With --validate the exit status is 1 if a record would be rejected.
    """
    from reelhouse.engines.engine import engine_of
    from reelhouse.ingest.load import load as load_all
    from reelhouse.ingest.source import open_source
    from reelhouse.locking import writing

    settings = read_settings(source, target)
    engine = engine_of(settings)
    with (
        writing(settings.warehouse),
        TemporaryDirectory() as scratch,
        show.steps() as progress,
        open_source(settings, progress) as opened,
        engine.open_trial(settings, Path(scratch))
        if validate
        else engine.open_warehouse(settings) as warehouse,
    ):
        reports: list[LoadReport] = []
        while not reports or (reports[-1].waiting and not validate):
            reports.append(
                load_all(
                    settings,
                    opened,
                    warehouse,
                    **options,
                    validate=validate,
                    after=reports[-1] if reports else None,
                    progress=lambda name, done, total: progress(
                        f"load {name}", done, total
                    ),
                )
            )
    with show.telling():
        for report in reports:
            _show_load(report, validate)
    if validate and (report.rejected or report.refused):
        sys.exit(1)


@click.command()
@target_option
@command
def status(target: str | None) -> None:
    """List what is out of date, and why; nothing is built.

    It looks at what is loaded and at the tree, and not at the source.
    """
    from reelhouse.transform.state import NEW_DATA, NEW_LOAD, PASSED_ON, state_of

    state = state_of(read_settings(None, target))
    _why(state, "are")
    if state.stale:
        # Nodes with their own reason first, then what they affect; models before tests.
        last = {PASSED_ON: 2, NEW_LOAD: 1}
        rows = [
            (state.tree.nodes[each].name, state.tree.nodes[each].kind, reason)
            for each, reason in state.stale.items()
        ]
        rows.sort(key=lambda row: (last.get(row[2], 0), row[1] == "test", row[0]))
        # Leave out tests that run only because their tables are out of date.
        follows = (PASSED_ON, NEW_LOAD, NEW_DATA)
        listed = [
            row for row in rows if row[1] != "test" or not row[2].startswith(follows)
        ]
        show.table(("node", "kind", "reason"), listed or rows)
        if listed and (tests := len(rows) - len(listed)):
            show.out.print(f"Not listed: {show.count(tests, 'test')} of these nodes.")


@click.command()
@target_option
@command
def publish(target: str | None) -> None:
    """Publish what is built, if all of it is up to date and tested."""
    from reelhouse.serving.publish import publish as publish_there

    settings = read_settings(None, target)
    published = publish_there(settings)
    with show.telling():
        show.out.print(
            f"{show.count(published.tables, 'table')} published "
            f"({published.rows:,} rows): {_place(settings)}"
        )


def _show_load(report: LoadReport, is_trial: bool = False) -> None:
    """Print what a load did with each file."""
    if report.entries:
        _objects(report)
    of = f" of delivery {report.delivery}" if report.delivery else ""
    if is_trial:
        show.out.print(f"Nothing was loaded: this was a trial{of}.")
    elif report.load_id is None:
        show.out.print(
            f"Nothing new: {show.count(report.unchanged, 'object')} already known."
        )
    else:
        show.out.print(f"Load {report.load_id}{of} is complete.")
    _notes(report, is_trial)


def _objects(report: LoadReport) -> None:
    names = ("file", "", "records", "rows", "new", "rejected", "removed")
    grid = show.grid(names, labels=2)
    for entry in sorted(report.entries, key=lambda entry: entry.file):
        counts = (
            entry.records,
            entry.rows_loaded,
            entry.rows_new,
            entry.rows_rejected,
            entry.rows_removed,
        )
        grid.add_row(
            show.safe(entry.file), entry.status, *(f"{count:,}" for count in counts)
        )
    show.out.print(grid)


def _notes(report: LoadReport, is_trial: bool) -> None:
    for line in _rejects(report, is_trial):
        show.note(line)
    if is_trial and report.waiting:
        show.note(f"Later deliveries, not tried: {report.waiting:,}.")
    if report.missing:
        files = ", ".join(report.missing)
        show.note(f"Not in the source, so their tables are empty: {files}.")
    if report.ignored:
        show.note(f"Other files in the source, ignored: {report.ignored:,}.")
    for message in [*report.hints, *report.refused, *report.warnings]:
        show.note(message)


def _rejects(report: LoadReport, is_trial: bool) -> Iterator[str]:
    """Yield for each kind of file how many records were rejected, and why."""
    outcome = "would be rejected" if is_trial else "rejected and kept aside"
    kinds = {entry.file: entry.entity for entry in report.entries}
    records: Counter[str] = Counter()
    for entry in report.entries:
        records[entry.entity] += entry.records
    for name, total in records.items():
        reasons: Counter[str] = Counter()
        for (file, reason), count in report.reject_reasons.items():
            if kinds[file] == name:
                reasons[reason.replace(": ", " ", 1)] += count
        told = [
            reason + (f" ({count:,})" if len(reasons) > 1 else "")
            for reason, count in reasons.most_common(SHOWN_REASONS)
        ]
        if len(reasons) > SHOWN_REASONS:
            told.append("…" if is_trial else "… all of them: serving.health_rejects")
        if told:
            yield (
                f"{reasons.total():,} of {total:,} {name.replace('_', ' ')} {outcome}: "
                f"{'; '.join(told)}"
            )


def _show_failures(report: BuildReport, failed: Path | None) -> None:
    """Print the failed nodes, and a command that shows the rows of a failed test."""
    show.err.print(
        f"[bold red]The build failed[/] in {show.count(len(report.failures), 'node')}:"
    )
    for failure in report.failures:
        kind = failure.kind.replace("_", " ")
        show.err.print(
            f"  [red]✗[/] {kind} {show.safe(failure.name)}\n"
            f"      {show.safe(failure.message, may_break=True)}",
            soft_wrap=True,
        )
    if report.skipped:
        show.err.print(
            f"  {show.count(report.skipped, 'node')} skipped because of them."
        )
    tests = [each.name for each in report.failures if each.kind == "test"]
    if tests:
        where = f"REELHOUSE_WAREHOUSE={show.argument(failed)} " if failed else ""
        target = "" if failed else "--target prod "
        show.err.print(
            f"To see the rows: {where}.venv/bin/dbt show {target}"
            f"--select {show.safe(tests[0])}",
            soft_wrap=True,
        )


def _show_run(settings: Settings, report: RunReport) -> None:
    """Print the summary of a run."""
    show.out.rule(
        f"[bold]Reelhouse[/] · {show.safe(settings.source_name)}", style="dim"
    )
    for message in _recovered(report):
        show.note(message)
    for loaded in report.loads:
        _show_load(loaded)
    built, rows, published = report.built, report.loaded.live_rows, report.published
    if report.state:
        show.out.print()
        _why(report.state, "were")
    for finding in built.warnings:
        show.note(f"The test {finding.name} warns: {finding.message}")
    for name, reason in report.from_scratch.items():
        show.out.print(
            f"{show.safe(name)} from scratch: {show.safe(reason)}.", soft_wrap=True
        )
    told = (
        ""
        if report.is_up_to_date
        else f"[bold]{show.count(built.models, 'model')}[/] built, "
        f"[bold]{show.count(built.tests, 'test')}[/] passed, "
    )
    tables = (
        f"[bold]{show.count(published.tables, 'table')}[/]" if published else "nothing"
    )
    size = f" ({published.rows:,} rows)" if published else ""
    verb = "stay published" if report.is_up_to_date else "published"
    show.out.print(f"{told}{tables} {verb}{size}")
    if report.gone:
        show.note(
            f"No longer published, since no model builds it: {', '.join(report.gone)}."
        )
    if rows:
        held = ", ".join(
            f"{rows[name]:,} {name.replace('_', ' ')}" for name in entities()
        )
        show.out.print(f"The warehouse holds {held}.")
    times = " · ".join(f"{step} {took:.1f} s" for step, took in report.seconds.items())
    total = sum(report.seconds.values())
    show.out.print(f"[dim]{times} · total {total:.1f} s[/]")
    try:
        _newest(settings)
        _best(settings)
    except ReelhouseError as error:
        show.note(f"The tables are published, but a highlight is missing: {error}")
    command = "reelhouse" if which("reelhouse") else ".venv/bin/reelhouse"
    target = f" --target {settings.target}" if settings.is_snowflake else ""
    show.out.print("\nWhat next:")
    for words, purpose in (
        ("dashboard", "dashboards"),
        (f"query '{QUESTION}'", "a table"),
        ("query 'select * from published_tables'", "all tables"),
        ("run --source DIR", "your own files"),
    ):
        told = f"  [dim]{purpose:<15}[/]{command} {words}{target}"
        # A wrapped command could not be copied.
        show.out.print(told, soft_wrap=True)
    show.out.print(f"[dim]The tables are in {_place(settings)}, schema serving[/]")


def _recovered(report: RunReport) -> Iterator[str]:
    """Yield what happened to files that the run could not use, and what was kept."""
    where = ""
    if report.aside:
        aside = show.short(report.aside)
        where = f": its files are now in {aside} (set REELHOUSE_WAREHOUSE to use them)"
    recovery = report.recovery
    if report.former_source:
        yield f"The warehouse belonged to {report.former_source}{where}."
    elif (
        recovery
        and not recovery.is_whole
        and (report.aside or recovery.written_at or recovery.history)
    ):
        backup = f"from the backup of {recovery.written_at} UTC"
        places = {"file": "from the old file", "backup": backup}
        raw = places[recovery.raw] if recovery.raw else "read again from the source"
        history = (
            places[recovery.history]
            if recovery.history
            else "recorded again from them"
            if recovery.raw
            else "empty"
        )
        yield f"The warehouse was missing, damaged or changed by hand{where}."
        yield f"Its raw rows are {raw}, its history is {history}."
    elif report.aside and not report.has_unreadable_backup:
        yield f"The backup was of another warehouse{where}."
    if report.has_unreadable_backup:
        yield (
            f"The backup could not be read, so it was not used{where}; a new one "
            f"replaces it."
        )


def _newest(settings: Settings) -> None:
    """Print how old the newest event is; old data is not the fault of a delivery."""
    from reelhouse.serving.query import ask

    ((event, newest),) = ask(settings, NEWEST)[1]
    if isinstance(newest, datetime):
        days = (settings.now() - newest).days
        age = f"{show.count(days, 'day')} before this run" if days > 0 else "today"
        show.out.print(f"The newest {event} is from {newest:%Y-%m-%d}, {age}.")


def _best(settings: Settings) -> None:
    from reelhouse.serving.query import ask

    names, rows = ask(settings, BEST)
    if not rows:
        return
    grid = show.grid([names[0].capitalize(), *names[1:]])
    for title, *numbers in rows:
        shown = (
            f"{each:.3f}" if isinstance(each, float) else f"{each:,}"
            for each in numbers
        )
        grid.add_row(show.safe(str(title)), *shown)
    show.out.print()
    show.out.print(grid)


def _why(state: State, verb: str) -> None:
    """Print how many nodes are or were out of date, and the most frequent reasons."""
    if not state.stale:
        show.out.print(
            "Everything is up to date with the loaded files and with the tree."
        )
        return
    causes = state.causes
    more = len(causes) - SHOWN_CAUSES
    told = "; ".join(causes[:SHOWN_CAUSES]) + (f"; and {more} more" * (more > 0))
    show.out.print(
        f"[bold]{len(state.stale):,} of {show.count(state.total, 'node')}[/] {verb} "
        f"out of date: {show.safe(told)}."
    )


def _place(settings: Settings) -> str:
    """Where the published tables are."""
    if settings.is_snowflake:
        return "the account's database"
    return show.place(settings.published)
