"""Build: dbt in this process, over the warehouse of a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings, environment, project

Counting = Callable[[int, int], None]

# Selects what is marked, and no test that is not, for reading it.
MARK = "reelhouse_selected"
MARKED = ("--select", f"tag:{MARK}", "--indirect-selection", "empty")


@dataclass(frozen=True)
class Failure:
    """A node that did not succeed: its name in dbt, its kind, and dbt's message."""

    name: str
    kind: str
    message: str


@dataclass(frozen=True)
class NodeTime:
    """A node that was run: its name in dbt, its kind, and how long it took."""

    name: str
    kind: str
    seconds: float


@dataclass
class BuildReport:
    """What dbt did: nodes by kind, those that failed, and those left out.

    `warnings` are the findings of tests with `severity: warn`, which stop nothing.
    """

    failures: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    skipped: int = 0
    times: list[NodeTime] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        """How many nodes succeeded, by kind; one that was built twice counts once."""
        return Counter(kind for _, kind in {(t.name, t.kind) for t in self.times})

    @property
    def messages(self) -> list[str]:
        return [failure.message for failure in self.failures]

    @property
    def models(self) -> int:
        return self.counts["model"]

    @property
    def tests(self) -> int:
        return self.counts["test"] + self.counts["unit_test"]


def build(
    settings: Settings,
    warehouse: Path,
    progress: Counting | None = None,
    arguments: tuple[str, ...] = (),
    command: str = "build",
    *,
    selected: Collection[str] | None = None,
    unit_tested: Collection[str] = (),
) -> BuildReport:
    """Run `dbt build`, or another command, on the warehouse in a folder.

    It is about the `selected` nodes and the unit tests of the models `unit_tested`, all
    by unique id, or about everything. Failures are in the report.
    Raises ReelhouseError where dbt does not get as far as building.
    """
    if settings.is_snowflake:
        _limit_waiting()
    report = BuildReport()
    tell = _Teller(progress) if progress else None
    manifest = parsed(settings)
    if selected is not None:
        _mark(manifest, selected, unit_tested)
        arguments = (*MARKED, *arguments)
    with environment({"REELHOUSE_WAREHOUSE": str(warehouse)}), _closing():
        result = _dbt([command, *arguments], settings, manifest, tell)
    for each in getattr(result, "results", []):
        _add(report, each)
    return report


def _mark(
    manifest: Any, selected: Collection[str], unit_tested: Collection[str]
) -> None:
    """Give what is selected a tag: dbt compares each name with every node's."""
    for unique_id in selected:
        node = manifest.nodes[unique_id]
        node.tags = [*node.tags, MARK]
    for unit_test in manifest.unit_tests.values():
        if not {*unit_test.depends_on.nodes}.isdisjoint(unit_tested):
            unit_test.config.tags = [*unit_test.tags, MARK]


def describe(settings: Settings) -> str:
    """What the macro `describe_tree` says of the tree, as JSON.

    It asks an engine for its version, in a folder of its own: a file is locked against
    other processes.
    """
    said: list[str] = []

    def listen(event: Any) -> None:
        if event.info.name == "JinjaLogInfo":
            said.append(event.data.msg)

    with (
        TemporaryDirectory() as folder,
        environment({"REELHOUSE_WAREHOUSE": folder}),
        _closing(),
    ):
        command = ["run-operation", "describe_tree"]
        (result,) = _dbt(command, settings, parsed(settings), listen).results
    if not said:
        # The first line names our macro alone.
        _, _, why = result.message.partition("\n")
        raise ReelhouseError(_without_macros(why or result.message))
    return said[-1]


def manifest_of(settings: Settings) -> dict[str, Any]:
    """What dbt writes to manifest.json for a target, in the same form."""
    manifest: dict[str, Any] = parsed(settings).writable_manifest().to_dict()
    return manifest


@contextmanager
def _closing() -> Iterator[None]:
    """Let go of the database that dbt opens in this process."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    try:
        yield
    finally:
        DuckDBConnectionManager.close_all_connections()


def _limit_waiting() -> None:
    """Let no call to Snowflake wait without end, which dbt has no setting for."""
    from snowflake.connector.connection import DEFAULT_CONFIGURATION

    from reelhouse.engines.snowflake import connection

    for name, value in connection.limits().items():
        _, types = DEFAULT_CONFIGURATION[name]
        DEFAULT_CONFIGURATION[name] = (value, types)


# What profiles.yml needs for a parse, which connects to nothing.
PARSED_WITH = {
    f"SNOWFLAKE_{name}": "none"
    for name in ("ACCOUNT", "USER", "ROLE", "WAREHOUSE", "PRIVATE_KEY_PATH")
}
# dbt takes up what it has parsed before only where every variable is as it was, so that
# others are not there. A target's database is in the names of its tables.
PARSED_WITHOUT = ("SNOWFLAKE_", "REELHOUSE_WAREHOUSE", "REELHOUSE_MEMORY_LIMIT")


def parsed(settings: Settings) -> Any:
    """The project as dbt has parsed it, again for each build, which leaves marks in it.

    What dbt remembers of a parse is shared by all warehouses, where it may be written.
    It reads that again in a third of the time that a copy of a manifest takes.
    """
    # Of a test that names a model which is not there, dbt would only warn, and would
    # forget it for as long as it remembers the rest.
    strict = '{"error": ["NodeNotFoundOrDisabled"]}'
    name = "SNOWFLAKE_DATABASE"
    database = {name: os.environ[name]} if name in os.environ else {}
    with environment(PARSED_WITH | database, without=PARSED_WITHOUT):
        return _dbt(
            ["parse", "--no-use-colors", "--warn-error-options", strict],
            settings,
            target_path=parse_folder(settings),
        )


def parse_folder(settings: Settings) -> Path:
    """Where dbt's parse is remembered: in the project, or beside the warehouse.

    The second where the project may not be written.
    """
    shared = project() / "target" / "parsed" / settings.target
    with suppress(OSError):
        shared.mkdir(parents=True, exist_ok=True)
    if os.access(shared, os.W_OK):
        return shared
    own = settings.warehouse / "dbt" / settings.target
    own.mkdir(parents=True, exist_ok=True)
    return own


def _dbt(
    command: list[str],
    settings: Settings,
    manifest: Any = None,
    listen: Callable[[Any], None] | None = None,
    target_path: Path | None = None,
) -> Any:
    from reelhouse.transform.dbt import invoke

    # What dbt writes down belongs to one warehouse, as the lock does.
    folder = settings.warehouse / "dbt"
    return invoke(command, settings.target, folder, target_path, manifest, listen)


def _add(report: BuildReport, result: Any) -> None:
    status = str(result.status)
    kind = str(result.node.resource_type)
    finding = Failure(result.node.name, kind, _without_macros(result.message or status))
    if status in {"error", "fail", "runtime error"}:
        report.failures.append(finding)
    elif status == "warn":
        report.warnings.append(finding)
    elif status == "skipped":
        report.skipped += 1
    else:
        report.times.append(NodeTime(result.node.name, kind, result.execution_time))


def _without_macros(message: str) -> str:
    """What dbt says in a line.

    Which macros it went through tells a reader nothing, nor do the carets that DuckDB
    puts below a line of SQL.
    """
    return " ".join(message.partition("> in macro ")[0].split()).rstrip(" ^")


class _Teller:
    """Turns dbt's events into progress: nodes done of all nodes."""

    def __init__(self, progress: Counting) -> None:
        self.progress = progress
        self.done = 0
        self.total = 0

    def __call__(self, event: Any) -> None:
        total = getattr(event.data, "total", 0)
        if event.info.name in {"LogStartLine", "LogTestResult", "LogModelResult"}:
            self.total = max(self.total, int(total or 0))
        if event.info.name == "NodeFinished":
            self.done += 1
            self.progress(self.done, max(self.total, self.done))
