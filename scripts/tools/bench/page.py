"""The figures of a bench in docs/performance.md, below the text that explains them."""

from __future__ import annotations

from collections.abc import Iterator

from tools.bench.figures import Table, tables
from tools.bench.session import EDITED, BenchReport

MARK = "<!-- What follows is made by `reelhouse bench --page`; changes are lost. -->\n"


def page_of(report: BenchReport, text: str) -> str:
    """Return a page in Markdown, with these figures in place of the old ones."""
    rounds = len(report.sample[EDITED])
    sizes = ",".join(str(size.ratings) for size in report.sizes)
    command = f"reelhouse bench --ratings {sizes} --rounds {rounds}"
    if report.memory_limit:
        command += f" --memory-limit {report.memory_limit}"
    measured_by = f"Measured by\n\n```sh\n{command} --page docs/performance.md\n```\n"
    machine = [f"- {what}: {value}" for what, value in report.machine.items()]
    lines = [text.partition(MARK)[0] + MARK, measured_by, *machine]
    for table in tables(report):
        lines += [f"\n## {table.title}\n", *_markdown(table)]
    return "\n".join(lines) + "\n"


def _markdown(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.header)} |"
    marks = ["---"] * table.labels + ["--:"] * (len(table.header) - table.labels)
    yield f"| {' | '.join(marks)} |"
    for row in table.rows:
        yield f"| {' | '.join(row)} |"
