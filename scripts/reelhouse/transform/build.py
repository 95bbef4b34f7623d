"""Build: run dbt in this process, on the warehouse in a folder."""

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

# Selects the marked nodes, and no unmarked test that reads one.
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
    """What dbt did: the nodes that failed, that were skipped, and that succeeded.

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

    It covers the `selected` nodes and the unit tests of the models in `unit_tested`,
    all by unique id, or everything. Failures are in the report. Raises ReelhouseError
    if dbt does not get as far as building.
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
    """Tag the selected nodes: dbt would compare a selected name with every node's."""
    for unique_id in selected:
        node = manifest.nodes[unique_id]
        node.tags = [*node.tags, MARK]
    for unit_test in manifest.unit_tests.values():
        if not {*unit_test.depends_on.nodes}.isdisjoint(unit_tested):
            unit_test.config.tags = [*unit_test.tags, MARK]


def describe(settings: Settings) -> str:
    """The output of the macro `describe_tree` about the tree, as JSON.

    The macro asks an engine for its version, in a folder of its own, because an open
    file is locked against other processes.
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
        # The first line only names our macro.
        _, _, why = result.message.partition("\n")
        raise ReelhouseError(_without_macros(why or result.message))
    return said[-1]


def manifest_of(settings: Settings) -> dict[str, Any]:
    """What dbt writes to manifest.json for a target, in the same form."""
    manifest: dict[str, Any] = parsed(settings).writable_manifest().to_dict()
    return manifest


@contextmanager
def _closing() -> Iterator[None]:
    """Close the database that dbt opens in this process."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    try:
        yield
    finally:
        DuckDBConnectionManager.close_all_connections()


def _limit_waiting() -> None:
    """Limit how long calls to Snowflake wait, for which dbt has no setting."""
    from snowflake.connector.connection import DEFAULT_CONFIGURATION

    from reelhouse.engines.snowflake import connection

    for name, value in connection.limits().items():
        _, types = DEFAULT_CONFIGURATION[name]
        DEFAULT_CONFIGURATION[name] = (value, types)


# Values that profiles.yml needs for a parse, which connects to nothing.
PARSED_WITH = {
    f"SNOWFLAKE_{name}": "none"
    for name in ("ACCOUNT", "USER", "ROLE", "WAREHOUSE", "PRIVATE_KEY_PATH")
}
# dbt reuses its last parse only if every variable is unchanged, so these are removed. A
# target's database is kept, because it is in the names of its tables.
PARSED_WITHOUT = ("SNOWFLAKE_", "REELHOUSE_WAREHOUSE", "REELHOUSE_MEMORY_LIMIT")


def parsed(settings: Settings) -> Any:
    """Parse the project with dbt; repeated for each build, which leaves marks in it.

    All warehouses share dbt's cache of the parse, if the project is writable. Reading
    the cache takes a third of the time that copying a manifest takes.
    """
    # dbt would only warn about a test of a missing model, and would leave it out for as
    # long as it remembers the rest.
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
    """The folder of dbt's cached parse: in the project, or beside the warehouse.

    The second is used if the project is not writable.
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

    # The files that dbt writes belong to one warehouse, as the lock does.
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
    """Return dbt's message on one line.

    The macros that it went through and the carets that DuckDB puts below a line of SQL
    are left out, because they tell a reader nothing.
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
