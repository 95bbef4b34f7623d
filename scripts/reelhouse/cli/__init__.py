"""The command line: parse arguments, print a report or a one-sentence error."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from io import TextIOWrapper

import click

from reelhouse.cli import build, compare, files, local, readers
from reelhouse.cli.command import CONTEXT

GROUPS = {
    "From files to published tables": (
        build.run,
        build.load,
        build.status,
        build.publish,
    ),
    "For readers of the published tables": (
        readers.query,
        readers.dashboard,
        readers.report,
        compare.compare,
        readers.export,
        readers.powerbi,
    ),
    "Buckets and accounts": (files.upload, local.bucket, local.emulator),
    "Files to load": (files.generate, files.download),
}


class _Commands(click.Group):
    """Lists commands by group, in the order in which they are declared."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name; `bench` exists only in a checkout."""
        if cmd_name == "bench" and find_spec("tools"):
            command: click.Command = import_module("tools.bench.command").bench
            return command
        return super().get_command(ctx, cmd_name)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """Write each group's commands under its title."""
        longest = max(map(len, self.commands))
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl(
                    (
                        f"{each.name:<{longest}}",
                        each.get_short_help_str(formatter.width - longest - 6),
                    )
                    for each in commands
                )


@click.group(cls=_Commands, context_settings=CONTEXT)
@click.version_option(package_name="reelhouse")
def main() -> None:
    """Reelhouse: a movie-analytics warehouse on your own machine."""
    for name in ("stdout", "stderr"):
        if not getattr(sys, name):  # Closed: a database could get its file descriptor.
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Escape what a terminal cannot encode instead of failing.
            stream.reconfigure(errors="backslashreplace")


for each in (command for group in GROUPS.values() for command in group):
    main.add_command(each)
