"""dbt in this process: run one command, return its result, report its progress."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner
from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_handler import DbtEventLoggingHandler
from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import ctx_set_event_manager

from reelhouse.errors import ReelhouseError
from reelhouse.settings import NO_SETTINGS, environment, project

# Events that a listener gets; most events of a node are only for a log.
HEARD = {
    *("LogStartLine", "LogModelResult", "LogTestResult", "NodeFinished"),
    "JinjaLogInfo",
}


class _Events(EventManager):
    """Format only the events that somebody listens to; dbt formats all of them."""

    def fire_event(
        self,
        e: BaseEvent,
        level: EventLevel | None = None,
        node: Any = None,
        force_warn_or_error_handling: bool = False,
    ) -> None:
        is_warning = force_warn_or_error_handling or e.level_tag() == EventLevel.WARN
        if self.loggers or is_warning or type(e).__name__ in HEARD:
            super().fire_event(e, level, node, force_warn_or_error_handling)


def invoke(
    command: list[str],
    target: str,
    folder: Path,
    target_path: Path | None = None,
    manifest: Any = None,
    listen: Callable[[Any], None] | None = None,
) -> Any:
    """Run a dbt command and return its result.

    dbt writes its files to `target_path`, else to the target's folder in `folder`.
    `listen` is called when nodes start and end. dbt leaves marks in a manifest. Raises
    ReelhouseError if dbt does not get as far as running nodes.
    """
    # A manager never releases its listeners, nor anything that they refer to.
    ctx_set_event_manager(_Events())
    try:
        # Each flag of dbt can also be set by a DBT_ variable.
        clean = environment(NO_SETTINGS, without=("DBT_",))
        with _less_search_for_garbage(), clean:
            outcome = dbtRunner(manifest, [listen] if listen else None).invoke(
                [
                    # Artifacts that nobody reads take as long as a small build.
                    *("--log-level", "none", "--no-write-json"),
                    *("--log-path", str(folder)),
                    *command,
                    *("--project-dir", str(project())),
                    *("--profiles-dir", str(project())),
                    *("--target", target),
                    *("--target-path", str(target_path or folder / target)),
                ]
            )
    finally:
        ctx_set_event_manager(EventManager())
        _leave_loggers()
    if isinstance(outcome.exception, KeyboardInterrupt):
        raise outcome.exception
    if outcome.exception:
        raise ReelhouseError(
            f"dbt {command[0]} failed ({_first_lines(outcome.exception)}): "
            f"--debug shows its whole output."
        ) from outcome.exception
    return outcome.result


def _leave_loggers() -> None:
    """Remove the handlers that an adapter, once imported, has added to libraries.

    Compiled code keeps its logger after Python ends, and a handler would keep dbt.
    """
    for logger in [*logging.Logger.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            for handler in [*logger.handlers]:
                if isinstance(handler, DbtEventLoggingHandler):
                    logger.removeHandler(handler)


@contextmanager
def _less_search_for_garbage() -> Iterator[None]:
    """Exclude existing objects from garbage collection: a parsed project is large.

    New objects are collected too, but less often.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(10_000, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _first_lines(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3]) or type(error).__name__
