"""Run: load, build and publish, from source to published tables, as one transaction.

If anything fails, the warehouse stays as it was. Each engine in `engines` has its own
attempt for that: in a copy of the warehouse file, or with clones in an account.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from reelhouse.engines.duckdb.backup import Recovery
from reelhouse.engines.engine import engine_of
from reelhouse.engines.publication import Publication
from reelhouse.errors import ReelhouseError
from reelhouse.ingest.load import LoadReport, OnError, load
from reelhouse.ingest.source import open_source
from reelhouse.locking import writing
from reelhouse.progress import Progress
from reelhouse.serving.publish import build_of
from reelhouse.settings import Settings
from reelhouse.transform.build import BuildReport, build
from reelhouse.transform.state import State, compare, read_tree

# Unit tests check the models, not the data.
NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
OF_HISTORY = (
    *("--select", "+resource_type:snapshot", "--full-refresh"),
    *("--exclude-resource-type", "test", "unit_test", "--vars"),
)


class BuildFailed(ReelhouseError):
    """The build failed; the report names the failures."""

    def __init__(self, report: BuildReport, failed: Path | None) -> None:
        self.report = report
        self.failed = failed
        count = len(report.failures)
        kept = (
            f"the failed warehouse is kept in {failed}"
            if failed
            else "so is its history"
        )
        super().__init__(
            f"{report.failures[0].name}{' and others' if count > 1 else ''} failed, so "
            f"nothing is published and the warehouse is unchanged; {kept}: correct "
            f"what is listed above, then run again."
        )


@dataclass
class RunReport:
    """What a run did.

    `aside` is where files went that the run could not reuse: those of `former_source`
    or, if that is None, unreadable ones. `recovery` says what was kept of these, and
    `has_unreadable_backup` that nothing was kept of a backup among them. `state` is
    what was out of date before the build; `from_scratch` maps incremental models that
    were rebuilt from scratch to the reason. `is_up_to_date` means that `published`
    needed no change. `gone` lists what was published before and is not any more.
    """

    loads: list[LoadReport] = field(default_factory=list)
    state: State | None = None
    from_scratch: dict[str, str] = field(default_factory=dict)
    built: BuildReport = field(default_factory=BuildReport)
    published: Publication | None = None
    gone: list[str] = field(default_factory=list)
    is_up_to_date: bool = False
    aside: Path | None = None
    has_unreadable_backup: bool = False
    former_source: str | None = None
    recovery: Recovery | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def loaded(self) -> LoadReport:
        """The last load."""
        return self.loads[-1]


def run(
    settings: Settings,
    *,
    on_error: OnError = "continue",
    accept_shrink: bool = False,
    accept_rejects: bool = False,
    rebuild: bool = False,
    everything: bool = False,
    unit_tests: bool = False,
    build_arguments: tuple[str, ...] = (),
    progress: Progress | None = None,
    on_step: Callable[[str], None] | None = None,
) -> RunReport:
    """Load, build and publish: all of it, or nothing.

    If several deliveries are waiting, load them one by one and record history after
    each. Build and test what is out of date, or all nodes with `everything`; with
    `unit_tests`, run the unit tests of models whose own rules changed too. With
    `rebuild`, or if the local warehouse is missing, data that the bucket does not hold
    comes from the warehouse or, if that cannot be read, from the backup, and everything
    is rebuilt from scratch. `build_arguments` are passed to `dbt build`; nodes that
    they leave out stay out of date, so nothing is published. `on_step` is called with
    the name of each finished step. Raises ReelhouseError, or BuildFailed if models or
    tests fail.
    """
    report, started = RunReport(), time.monotonic()
    tell = progress or (lambda *_: None)
    watch = _Watch(report.seconds, on_step or (lambda _: None))
    with (
        writing(settings.warehouse),
        engine_of(settings).attempt(
            settings, lambda: read_tree(settings).lasting, rebuild
        ) as attempt,
    ):
        report.former_source = attempt.former_source
        report.recovery = attempt.recovery
        report.has_unreadable_backup = attempt.has_unreadable_backup

        def make(step: str, arguments: tuple[str, ...], **chosen: Any) -> None:
            attempt.prepare()
            count = partial(tell, step)
            built = build(settings, attempt.folder, count, arguments, **chosen)
            watch.lap(step)
            if built.failures:
                raise BuildFailed(built, attempt.keep_failed(built.messages))
            # A test's latest result replaces the one after an earlier delivery.
            ran = {each.name for each in built.times}
            ran |= {each.name for each in built.warnings}
            before = (each for each in report.built.warnings if each.name not in ran)
            built.warnings = [*before, *built.warnings]
            built.times = [*report.built.times, *built.times]
            report.built = built

        # The snapshots record the state after each load in turn, as if a build had
        # followed each of the loads.
        for load_id in attempt.drop_history() if attempt.lacks_history else ():
            make("history", (*OF_HISTORY, json.dumps({"as_of_load_id": load_id})))
        with open_source(settings, tell) as source:
            if settings.is_sample:
                watch.lap("upload")
            while True:
                with attempt.open() as warehouse:
                    loaded = load(
                        settings,
                        source,
                        warehouse,
                        on_error=on_error,
                        accept_shrink=accept_shrink,
                        accept_rejects=accept_rejects,
                        after=report.loads[-1] if report.loads else None,
                        progress=lambda name, done, total: tell(
                            f"load {name}", done, total
                        ),
                    )
                report.loads.append(loaded)
                watch.lap("load")
                tree = read_tree(settings)
                watch.lap("parse")
                with attempt.asking() as ask:
                    state = compare(tree, ask)
                if not report.state or not report.state.stale:
                    report.state = state
                if not loaded.waiting:
                    break
                if recorded := state.for_history:
                    make("history", NO_UNIT_TESTS, selected=recorded)
        selected: list[str] | None = state.to_build
        if everything or rebuild or len(state.to_build) == state.total:
            selected = None
        if selected != []:
            make(
                "build",
                (
                    *(() if unit_tests else NO_UNIT_TESTS),
                    *build_arguments,
                    *(("--full-refresh",) if rebuild else ()),
                ),
                selected=selected,
                unit_tested=state.changed_models,
            )
            with attempt.asking() as ask:
                state = compare(tree, ask)
            report.from_scratch = state.made_whole(report.state)
        to_publish = replace(build_of(state), seconds=report.seconds, started=started)
        if attempt.back_up():
            watch.lap("backup")
        tell("publish", 0, 1)
        unchanged = attempt.up_to_date(to_publish)
        if unchanged:
            report.is_up_to_date = True
            attempt.skip_publish()
        report.published = unchanged or attempt.publish(to_publish)
        report.gone = to_publish.gone
        report.aside = attempt.aside
        tell("publish", 1, 1)
        watch.lap("publish")
    return report


@dataclass
class _Watch:
    """Measure the seconds of each step and report when it ends."""

    seconds: dict[str, float]
    tell: Callable[[str], None]
    last: float = field(default_factory=time.monotonic)

    def lap(self, step: str) -> None:
        now = time.monotonic()
        self.seconds[step] = self.seconds.get(step, 0) + now - self.last
        self.last = now
        self.tell(step)
