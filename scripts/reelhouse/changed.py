"""Changed: build what differs from another tree, in a copy of that tree's warehouse.

`make base` builds the other tree whole; `python -m reelhouse.changed`, which is
`make build-changed`, builds upon it. Every node that differs is built with all that is
behind it, and what these nodes held is not kept: the outcome is that of a whole build.
Where dbt cannot tell what differs, everything is loaded and built.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from reelhouse import show
from reelhouse.build import BuildReport, build, lasting_tables, names_of
from reelhouse.engines.duckdb import connect, open_warehouse
from reelhouse.errors import ReelhouseError
from reelhouse.load import load
from reelhouse.publish import prepare, qualified_build
from reelhouse.run import BuildFailed, other_source, run
from reelhouse.settings import PROJECT, Settings, read_settings
from reelhouse.source import open_source

BASE = PROJECT / "target/base"
CHANGED = PROJECT / "target/changed"

# What shapes tables without being a part of a node or of a macro that a node calls:
# the loader and its contract, variables and hooks, and macros that dbt calls itself.
UNTRACED = (
    "dbt_project.yml",
    "locks/run.txt",
    "macros/builds/*.sql",
    "macros/check_variables.sql",
    "macros/cross_db/persist_docs.sql",
    "macros/generate_schema_name.sql",
    "macros/history/snapshot_get_time.sql",
    "models/staging/*/_*__sources.yml",
    "profiles.yml",
    "pyproject.toml",
    "scripts/reelhouse/**/*.py",
)


@dataclass(frozen=True)
class ChangedReport:
    """What was built upon the base; all of it, where `reason` says why."""

    built: BuildReport
    reason: str | None = None


def build_changed(
    settings: Settings, tree: Path, base: Path, arguments: tuple[str, ...] = ()
) -> ChangedReport:
    """Build in the settings' warehouse, made anew, what differs between two trees.

    `base` holds the other tree, its manifest in target/ and its warehouse in
    data/warehouse/. Its published file has the counterpart `settings.published`, for a
    comparison. `arguments` go to `dbt build`. Raises ReelhouseError where the base is
    not built, BuildFailed where models or tests failed.
    """
    warehouse = base / "data/warehouse" / settings.database.name
    state = base / "target"
    for path in (warehouse, state / "manifest.json"):
        if not path.exists():
            raise ReelhouseError(
                f"{path} is not there, so nothing can be built upon it: run "
                f"`make base` first."
            )
    shutil.rmtree(settings.warehouse, ignore_errors=True)
    settings.warehouse.mkdir(parents=True)
    with closing(connect(warehouse, read_only=True)) as connection:
        # What is not built again must have passed there.
        whole = qualified_build(lambda ask: connection.execute(ask).fetchall())
        shutil.copyfile(warehouse, settings.database)
    reason = untraced(tree, base) or _new_in_source(settings)
    if whole.load_id > 1:
        # Snapshots that begin anew would know the last state alone.
        reason = "the base was loaded more than once"
    if reason:
        settings.database.unlink()
        return ChangedReport(run(settings).built, reason)
    what = ("--select", "state:modified+", "--state", str(state))
    selected = set(names_of(settings, *what))
    if not selected:
        report = BuildReport()
    else:
        _forget(settings, selected)
        upon = ("--defer", "--full-refresh", "--no-use-colors")
        report = build(settings, settings.warehouse, None, (*what, *upon, *arguments))
    if report.failures:
        raise BuildFailed(report, settings.warehouse)
    prepare(settings.database, settings.published, is_part=True)
    return ChangedReport(report)


def untraced(tree: Path, base: Path) -> str | None:
    """Which files differ that dbt does not trace to nodes, if any do."""
    left, right = _files(base), _files(tree)
    differing = sorted(
        name for name in left.keys() | right.keys() if left.get(name) != right.get(name)
    )
    if not differing:
        return None
    more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
    return f"{differing[0]}{more} differ{'' if more else 's'}"


def _files(tree: Path) -> dict[str, bytes]:
    return {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for pattern in UNTRACED
        for path in tree.glob(pattern)
    }


def _new_in_source(settings: Settings) -> str | None:
    """What a load would change in the copied warehouse, if anything."""
    if other_source(settings):
        return "the base was loaded from another source"
    with (
        open_source(settings, lambda *_: None) as source,
        open_warehouse(settings.database) as warehouse,
    ):
        report = load(settings, source, warehouse, accept_shrink=True, validate=True)
    return "the files have changed since" if report.entries else None


def _forget(settings: Settings, selected: set[str]) -> None:
    """Drop the history of snapshots that are built again, which would add to it."""
    with closing(connect(settings.database)) as connection:
        for table in lasting_tables(settings)["snapshot"]:
            if table.partition(".")[2] in selected:
                connection.execute(f"drop table if exists {table}")


def main() -> None:
    try:
        settings = replace(read_settings(target="dev"), warehouse=CHANGED)
        report = build_changed(settings, PROJECT, BASE)
    except ReelhouseError as error:
        if isinstance(error, BuildFailed):
            show.failures(error.report, error.failed)
        show.error(error)
        sys.exit(1)
    show.changed(report, settings)


if __name__ == "__main__":
    main()
