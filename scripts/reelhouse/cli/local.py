"""Commands that stand in for a cloud on this machine: bucket and emulator."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress

import click

from reelhouse.cli import show
from reelhouse.cli.command import CONTEXT, command
from reelhouse.errors import ReelhouseError
from reelhouse.settings import environment

# Seconds between two checks that the server is alive, and seconds that the command
# gets to stop.
LOOK_SECONDS = 2.0
STOP_SECONDS = 5.0


@click.command(context_settings={**CONTEXT, "ignore_unknown_options": True})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@command
def bucket(command: tuple[str, ...]) -> None:
    """Serve a local S3 with an empty bucket named reelhouse.

    With a COMMAND (after --), run it with the AWS variables set and stop when it ends.
    Without one, print the variables and stay up until Ctrl-C.
    """
    from reelhouse.ingest.source import LOCAL_BUCKET
    from reelhouse.local.bucket import environment as aws_variables
    from reelhouse.local.bucket import serve_bucket
    from reelhouse.s3 import upload as upload_files

    with serve_bucket() as s3:
        upload_files(s3, [], LOCAL_BUCKET)
        variables = aws_variables(s3)
        _serve(
            variables, command, "s3://reelhouse until Ctrl-C; its contents are not kept"
        )


@click.command(context_settings={**CONTEXT, "ignore_unknown_options": True})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@command
def emulator(command: tuple[str, ...]) -> None:
    """Serve a local emulated Snowflake, for the dbt target prod.

    With a COMMAND (after --), run it with the Snowflake variables set and stop when it
    ends. Without one, print the variables and stay up until Ctrl-C. Stages reach the S3
    that AWS_ENDPOINT_URL names, such as that of `reelhouse bucket`.
    """
    from reelhouse.local.emulator import environment as snowflake_variables
    from reelhouse.local.emulator import serve_emulator

    with serve_emulator() as settings:
        _serve(
            snowflake_variables(settings),
            command,
            "an emulated Snowflake until Ctrl-C; its tables are not kept",
            settings.port,
        )


def _serve(
    variables: dict[str, str],
    command: tuple[str, ...],
    what: str,
    port: int | None = None,
) -> None:
    """Run a command with these variables and exit with its status; with none, wait.

    If a port is given, stop the command when nothing listens on it any more.
    """
    if not command:
        for name, value in variables.items():
            show.out.print(f"export {name}='{value}'", soft_wrap=True)
        show.err.print(f"Serving {what}.")
        # Exit as on Ctrl-C, so that the server stops before this process ends.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        while True:
            signal.pause()
    with environment(variables):
        try:
            process = subprocess.Popen(command)
        except FileNotFoundError:
            raise ReelhouseError(
                f"There is no command '{command[0]}': write a command after --, as in "
                f"a shell."
            ) from None
        with process:
            try:
                status = _wait_for(process, port)
            except BaseException:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_SECONDS)
                process.kill()
                raise
    sys.exit(status)


def _wait_for(process: subprocess.Popen[bytes], port: int | None) -> int:
    from reelhouse.local.child import listens

    while True:
        try:
            return process.wait(LOOK_SECONDS if port else None)
        except subprocess.TimeoutExpired:
            # Without this check, the connector would wait forever.
            if port and not listens(port):
                raise ReelhouseError(
                    "The server that this command needs has stopped unexpectedly: run "
                    "the command again, with less data or with more memory."
                ) from None
