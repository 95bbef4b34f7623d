"""The page of figures, docs/performance.md: text and tables of one bench."""

from __future__ import annotations

from collections.abc import Iterator

from tools.bench.figures import Table, tables
from tools.bench.session import EDITED, BenchReport

INTRODUCTION = """\
<!-- Made by `reelhouse bench --page`; changes here are lost. -->

# What a run costs, beside what one would do instead

Each contender is a process of its own; in a round each has its turn once, on the same
generated files. Above 20 million ratings there is one round. Wall time is what a clock
says, and on a machine with other work that other work too; CPU time is that of all
cores. Memory is the most that the process had at a time, Python and dbt included. The
local S3 server is not counted in.

| contender | what it does |
| --- | --- |
| first run | `reelhouse run` on an empty warehouse: upload to the local S3, load with \
every check, build with every test, backup, publish |
| floor | one SQL script written by hand (`scripts/tools/bench/floor.sql`): plain \
`read_csv` and the same published tables but those on loads; no dbt, no check, no \
history, one file. A test compares its tables with ours, row for row |
| nothing new | the next run, where no file has changed |
| one new tag | the next run, after an object with one tag |
| 1 % in a new object, in the file | the next runs, after one rating in a hundred came \
anew, half of them of new users: in an object more, and in a `ratings.csv` that \
replaces the old one |
| an edited mart | on the sample: the next run after `mart_genre_ratings` was edited |
"""

REASONS = """\
## What the time is spent on

- **Load.** Plain `read_csv` hashes no object, looks at no byte of a number, keeps no
  bad record, notes no row's file, and compares nothing with what was there before.
- **First run, to floor.** Each test reads a table again, backup and publish write it
  again, so that what is lost can be made good and nobody reads what did not pass. dbt
  starts, and what it does around a statement costs the same for each node, whatever
  the size: the less data, the larger its share.
- **Next runs.** A run builds and tests what is out of date. One tag reaches what is
  made of tags. One rating reaches most tables: incremental models handle what has
  changed, and `tests/budget.yml` holds them to it, but the mean of all movies,
  percentiles, cohorts and neighbours change with any rating, and what rests on them is
  made anew.
- **Memory.** dbt works on one node at a time, and DuckDB takes for it what its limit
  leaves; what is taken besides comes on top.

## Larger still

The limit of memory is DuckDB's; Python, dbt and what DuckDB does not count come on top.
What does not fit spills to the folder of the warehouse, which needs room for it beside
the warehouse, the published file and the backup. The local S3 server keeps the files of
a folder in memory; a real bucket does not. When a run takes longer than you want to
wait, or one machine is too small, [point the same tree at Snowflake](snowflake.md), and
make the warehouses there larger.
"""


def page_of(report: BenchReport) -> str:
    """The whole page, in Markdown."""
    rounds = len(report.sample[EDITED])
    sizes = ",".join(str(size.ratings) for size in report.sizes)
    command = f"reelhouse bench --ratings {sizes} --rounds {rounds}"
    if report.memory_limit:
        command += f" --memory-limit {report.memory_limit}"
    measured_by = f"Measured by\n\n```sh\n{command} --page docs/performance.md\n```\n"
    machine = [f"- {what}: {value}" for what, value in report.machine.items()]
    lines = [INTRODUCTION, measured_by, *machine, ""]
    for table in tables(report):
        lines += [f"## {table.title}\n", *_markdown(table), ""]
    return "\n".join([*lines, REASONS])


def _markdown(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.header)} |"
    marks = ["---"] * table.labels + ["--:"] * (len(table.header) - table.labels)
    yield f"| {' | '.join(marks)} |"
    for row in table.rows:
        yield f"| {' | '.join(row)} |"
