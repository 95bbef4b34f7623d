"""The contenders: each a process of its own, `python -m tools.bench.contenders`.

A contender reads its files from REELHOUSE_SOURCE and works in REELHOUSE_WAREHOUSE.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from reelhouse.settings import PROJECT, read_settings
from tools.bench.measure import Laps, report

FLOOR = Path(__file__).parent / "floor.sql"
OTHERS = ("floor", "replay", "polars", "theirs")
SCRIPT = "statements.json"
EDITED = "mart_genre_ratings"
UNTESTED = ("--exclude-resource-type", "test", "unit_test")


def ours(laps: Laps) -> None:
    """`reelhouse run`."""
    from reelhouse.run import run

    done = run(read_settings(), on_step=laps.lap)
    nodes = [(each.name, each.kind, each.seconds) for each in done.built.times]
    report(laps, nodes=nodes)


def build(laps: Laps) -> None:
    """dbt alone, without tests, on raw tables that are there."""
    from reelhouse.transform.build import build as build_all
    from reelhouse.transform.build import manifest_of

    settings = read_settings()
    manifest_of(settings)
    laps.lap("start of dbt")
    build_all(settings, settings.warehouse, None, UNTESTED)
    laps.lap("build")
    report(laps)


def edit(laps: Laps) -> None:
    """One model, built and tested again where everything is built and dbt is warm."""
    from reelhouse.run import run
    from reelhouse.transform.build import build as build_all

    settings = read_settings()
    run(settings)
    laps.lap("run")
    # The first selection compiles macros that later ones find compiled.
    for step in ("first time", "again"):
        done = build_all(settings, settings.warehouse, None, ("--select", EDITED))
        assert done.models == 1, f"{EDITED} is not built"
        assert done.tests > 1, f"{EDITED} is not tested"
        laps.lap(step)
    report(laps)


def replay(laps: Laps) -> None:
    """The statements of a build, one after the other in one connection, no dbt."""
    from reelhouse.engines.duckdb.connection import connect
    from tools.bench.statements import read_script

    settings = read_settings()
    statements = read_script(settings.warehouse / SCRIPT)
    connection = connect(settings.database)
    for step, are_tests in (("build", False), ("tests", True)):
        for statement in statements:
            if statement.is_test == are_tests:
                connection.execute(statement.sql).fetchall()
        connection.execute("checkpoint")
        laps.lap(step)
    report(laps)


def floor(laps: Laps) -> None:
    """The same tables by SQL written by hand."""
    _by_hand(laps, FLOOR.read_text(encoding="utf-8"))


def theirs(laps: Laps) -> None:
    """The same SQL in another shape: views over the files, so each table reads them."""
    _by_hand(laps, over_files(FLOOR.read_text(encoding="utf-8")))


def polars(laps: Laps) -> None:
    """The subject marts in Polars, which reads the files and writes Parquet."""
    from tools.bench.frames import marts, read

    settings = read_settings()
    settings.warehouse.mkdir(parents=True)
    files = read(Path(settings.source))
    laps.lap("load")
    for name, frame in marts(files):
        frame.write_parquet(settings.warehouse / f"{name}.parquet")
    laps.lap("build")
    report(laps)


def over_files(sql: str) -> str:
    """The script with views in place of all but the published tables."""
    return re.sub(r"^create table (raw|work)\.", r"create view \1.", sql, flags=re.M)


def steps_of(sql: str) -> Iterator[tuple[str, str]]:
    """The steps of a script by name, as its comments mark them."""
    _, *parts = re.split(r"^-- step: (\w+)$", sql, flags=re.MULTILINE)
    yield from zip(parts[::2], parts[1::2], strict=True)


def _by_hand(laps: Laps, sql: str) -> None:
    from reelhouse.engines.duckdb.connection import connect

    settings = read_settings()
    settings.warehouse.mkdir(parents=True)
    connection = connect(settings.database)
    connection.execute("set variable files = ?", [settings.source])
    connection.execute("set variable seeds = ?", [str(PROJECT / "seeds")])
    for step, statements in steps_of(sql):
        connection.execute(statements)
        # A step is done when its rows are in the file.
        connection.execute("checkpoint")
        laps.lap(step)
    report(laps)


def account(laps: Laps, made: str) -> None:
    """Three runs in an emulated account, on files of the folder `made`."""
    from tools.bench.account import ask_thrice

    # The account's variables come with the emulator.
    settings = replace(read_settings(None, "dev"), target="prod")
    asked = ask_thrice(settings, Path(made))
    laps.lap("three runs")
    report(laps, asked=asked)


CONTENDERS: dict[str, Callable[..., None]] = {
    each.__name__: each
    for each in (ours, build, edit, replay, floor, polars, theirs, account)
}


if __name__ == "__main__":
    CONTENDERS[sys.argv[1]](Laps(), *sys.argv[2:])
