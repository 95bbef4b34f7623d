"""The page of figures, docs/performance.md: text, tables and chart of one bench."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import altair as alt
import pandas as pd

from reelhouse.dashboard.charts import themed
from reelhouse.dashboard.report import PICTURE_FONT, PICTURE_WIDTH, write_picture
from reelhouse.dashboard.theme import LIGHT
from tools.bench.contenders import OTHERS
from tools.bench.figures import Table, at_nominal, tables
from tools.bench.measure import Measured
from tools.bench.session import FULL, BenchReport, SizeReport

# Parts of a bar, in their order; whatever is none of the others is the rest.
PARTS = ("load", "build", "tests", "rest")
BAR_HEIGHT = 30
# Of title, legend and axis.
FRAME_HEIGHT = 130

INTRODUCTION = """\
<!-- Made by `reelhouse bench --page`; changes here are lost. -->

# What a run costs, beside what one would do instead

Each contender is a process of its own; in a round each has its turn once, on the same
generated files. Above 20 million ratings there is one round. Wall time is what a clock
says, and on a machine with other work that other work too; CPU time is that of all
cores. Memory is the most that the process had at a time, Python and dbt included, the
local S3 server not.

| contender | what it does |
| --- | --- |
| run | `reelhouse run` on an empty warehouse: upload to the local S3, load with every \
check, build with every test, backup, publish |
| build alone | dbt without tests, on raw tables that are there; its start told apart |
| floor | one SQL script written by hand (`scripts/tools/bench/floor.sql`): plain \
`read_csv` and the same published tables but those on loads; no dbt, no check, no \
history, one file. A test compares its tables with ours, row for row |
| replay | the statements that dbt ran, one after the other in one connection; then \
those of the tests |
| theirs | the script of the floor as a pipeline of views over the CSV files: no raw \
tables, each published table reads the files, and all is made anew each time, \
whatever has changed |
| polars | the subject marts, but the smallest, in Polars \
(`scripts/tools/bench/frames.py`), from the files to Parquet; as far as it goes, \
the same rows. It and theirs have no turn above 20 million ratings |
| run, 1 % in … | the next run after one rating in a hundred came anew, half of them \
of new users: in an object more, or in a `ratings.csv` that replaces the old one |
"""

REASONS = """\
## What stands in the way of a goal

- **Load.** Plain `read_csv` hashes no object, looks at no byte of a number, keeps no \
bad record, notes no row's file, and compares nothing with what was there before.
- **Build, to replay.** What dbt does around a statement costs the same for each node, \
whatever the size: the less data, the larger its share.
- **Run, to floor.** The table of what the floor does not do names each part. Each \
test reads a table again, backup and publish write it again, so that what is lost can \
be made good and nobody reads what did not pass.
- **Memory.** dbt works on one node at a time, and DuckDB takes for it what its limit \
leaves; what is taken besides comes on top.
- **One rating in a hundred.** Incremental models handle what has changed, and \
`tests/budget.yml` holds them to it. But the mean of all movies, percentiles, cohorts \
and neighbours change with any rating: marts that rest on them are made anew, tested \
and published. The table of its parts shows what that takes, and what no number of \
rows changes: dbt starts, and works its way through each model and each test. Its \
start, the neighbours and publishing are above the goal by themselves.

## Larger still

The limit of memory is DuckDB's; Python, dbt and what DuckDB does not count come on \
top. What does not fit spills to the folder of the warehouse, which needs room for it \
beside the warehouse, the published file and the backup. The local S3 server keeps the \
files of a folder in memory, as its own row tells; a real bucket does not. When a run \
takes longer than you want to wait, or one machine is too small, [point the same tree \
at Snowflake](snowflake.md), and make the warehouses there larger.
"""


def write_page(report: BenchReport, path: Path) -> list[Path]:
    """Write the page and its chart, which is in the folder `images` beside it."""
    picture = path.parent / "images" / f"{path.stem}.png"
    shown = at_nominal(report)
    title = f"Seconds of each contender, {shown.ratings:,} ratings"
    spec = themed(bars(shown), LIGHT, font=PICTURE_FONT).to_dict()
    spec |= {
        "width": PICTURE_WIDTH,
        "background": LIGHT.ground,
        "padding": 12,
        "title": title,
    }
    write_picture(spec, picture)
    lines = [INTRODUCTION, *_machine(report)]
    lines.append(f"![{title}](images/{picture.name})\n")
    for table in tables(report):
        lines += [f"## {table.title}\n", *_markdown(table), ""]
        lines += [f"{table.note}\n"] * bool(table.note)
    lines.append(REASONS)
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return [path, picture]


def bars(size: SizeReport) -> alt.Chart:
    """A bar for each contender, as long as it took, in parts."""
    rows = []
    for name, rounds in size.rounds.items():
        divided = [parts(each) for each in rounds]
        rows += [
            {
                "contender": name,
                "part": part,
                "order": order,
                "seconds": median(each[part] for each in divided),
            }
            for order, part in enumerate(PARTS)
        ]
    chart: Any = alt.Chart(pd.DataFrame(rows)).mark_bar(height={"band": 0.62})
    drawn: alt.Chart = chart.encode(
        x=alt.X("sum(seconds):Q", axis=alt.Axis(title="seconds")),
        y=alt.Y(
            "contender:N",
            sort=list(size.rounds),
            axis=alt.Axis(title=None, labelLimit=PICTURE_WIDTH),
        ),
        color=alt.Color("part:N", sort=list(PARTS), legend=alt.Legend(title=None)),
        order=alt.Order("order:Q"),
    ).properties(height=BAR_HEIGHT * len(size.rounds) + FRAME_HEIGHT)
    return drawn


def parts(measured: Measured) -> dict[str, float]:
    """Seconds by part; dbt's own clock says how a build divides into its tests."""
    seconds = {name: cost.seconds for name, cost in measured.steps.items()}
    load, build = seconds.pop("load", 0.0), seconds.pop("build")
    tests = seconds.pop("tests", 0.0)
    nodes = measured.told.get("nodes", [])
    if nodes:
        share = sum(took for _, kind, took in nodes if kind == "test") / sum(
            took for *_, took in nodes
        )
        build, tests = build * (1 - share), build * share
    return {"load": load, "build": build, "tests": tests, "rest": sum(seconds.values())}


def _machine(report: BenchReport) -> Iterator[str]:
    rounds = len(report.sizes[0].rounds[FULL])
    others = [name for name in report.sizes[0].rounds if name in OTHERS]
    command = (
        f"reelhouse bench --ratings {','.join(f'{s.ratings}' for s in report.sizes)} "
        f"--rounds {rounds} --against {','.join(others)}"
    )
    if report.memory_limit:
        command += f" --memory-limit {report.memory_limit}"
    if report.asked:
        command += " --account"
    yield f"Measured by\n\n```sh\n{command} --page docs/performance.md\n```\n"
    yield "\n".join(f"- {what}: {value}" for what, value in report.machine.items())
    yield ""


def _markdown(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.header)} |"
    marks = ["---"] * table.labels + ["--:"] * (len(table.header) - table.labels)
    yield f"| {' | '.join(marks)} |"
    for row in table.rows:
        yield f"| {' | '.join(row)} |"
