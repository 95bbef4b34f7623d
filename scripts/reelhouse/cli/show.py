"""Output of all commands: two consoles, progress, notes and tables."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Number
from pathlib import Path
from shlex import quote

from rich.cells import cell_len
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

from reelhouse.settings import project

# What a code host obeys in a log, such as ::error::text and ##[group].
COMMANDS = re.compile(r"::(?=.*::)|##\[")
CHANGED = {"::": r":\x3a", "##[": r"##\x5b"}

# The least width of a text column if a table is too wide; the longest text shown.
LEAST_TEXT, MOST_TEXT = 12, 10_000

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
for each in (out, err):
    if not each.width:  # with COLUMNS=0 nothing would be visible
        each.width = 80


@contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar for each reported step; show nothing outside a terminal."""
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
            # dbt reports its nodes from several threads.
            with lock:
                if step not in tasks:
                    tasks[step] = progress.add_task(safe(step), total=max(total, 1))
            progress.update(tasks[step], completed=done, total=max(total, 1))

        yield tell


@contextmanager
def telling() -> Iterator[None]:
    """Print results of finished work; if nobody can read them, warn, do not fail."""
    try:
        yield
        sys.stdout.flush()
    except (OSError, SystemExit) as fault:  # rich exits if the pipe is closed
        # Discard what is still buffered, so that flushing it cannot fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        why = getattr(fault, "strerror", None) or "the pipe is closed"
        err.print(
            f"The command is done, but its output could not be written ({why}).",
            soft_wrap=True,
        )


def error(message: object) -> None:
    err.print(f"[bold red]reelhouse:[/] {safe(str(message))}", soft_wrap=True)


def note(message: str) -> None:
    out.print(f"  [yellow]![/] {safe(message)}", soft_wrap=True)


def table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows as a table that fits the terminal, with numbers rounded.

    If it is too wide, wrap the column names, then the texts; if that is not enough,
    print each row as a list of names and values.
    """
    stacked = [name.replace("_", "_\n") for name in names]
    for heads, gap in ((names, 2), (stacked, 1)):
        made = Table(
            box=None, header_style="bold", pad_edge=False, padding=(0, gap, 0, 0)
        )
        widest = least = gap * (len(names) - 1)
        for index, head in enumerate(heads):
            values = [row[index] for row in rows]
            is_number = all(isinstance(each, Number | None) for each in values)
            lines = [*head.splitlines(), *map(_text, values)]
            width = max(map(cell_len, lines))
            widest += width
            least += width if is_number else min(width, LEAST_TEXT)
            made.add_column(
                safe(head, may_break=True),
                justify="right" if is_number else "left",
                overflow="fold",
                no_wrap=is_number,
            )
        if widest <= out.width:
            break
    if least <= out.width:
        for row in rows:
            made.add_row(*(safe(_text(value)) for value in row))
        out.print(made)
    else:
        longest = max(map(len, names))
        for row in rows:
            for name, value in zip(names, row, strict=True):
                label, text = f"[bold]{safe(name):<{longest}}[/]", safe(_text(value))
                # Do not wrap a text without spaces: a wrapped address is broken.
                out.print(f"{label}  {text}", soft_wrap=" " not in text)
            out.print()
    out.print(f"[dim]{count(len(rows), 'row')}[/]")


def grid(names: Sequence[str], labels: int = 1) -> Table:
    """A table without lines, whose first columns are labels and the others numbers."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    for index, name in enumerate(names):
        if index < labels:
            made.add_column(name, overflow="fold")
        else:
            made.add_column(name, justify="right")
    return made


def written(path: Path) -> None:
    out.print(place(path), soft_wrap=True)


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _text(value: object) -> str:
    if isinstance(value, float):
        # Round to three decimals, but do not show a small number as 0.000.
        return f"{value:.3f}" if not value or abs(value) >= 0.0005 else f"{value:.1e}"
    text = "" if value is None else str(value)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]} …"


def short(path: Path) -> str:
    """Return a path, relative to the project's folder if it is inside."""
    root = project()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def place(path: Path) -> str:
    """Return the same, escaped for the console."""
    return safe(short(path))


def argument(path: Path) -> str:
    """Return the same, quoted for a shell and escaped for the console."""
    return safe(quote(short(path)))


def safe(text: object, may_break: bool = False) -> str:
    """Escape a text so that nothing in it acts as markup or as a command to CI.

    It stays on one line, unless `may_break` keeps its line feeds.
    """
    shown = "".join(
        char
        if char.isprintable() or (may_break and char == "\n")
        else ascii(char)[1:-1]
        for char in str(text)
    )
    return escape(COMMANDS.sub(lambda found: CHANGED[found[0]], shown))
