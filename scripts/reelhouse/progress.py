"""Progress: how a long step reports how far it has come."""

from collections.abc import Callable

# Called with the name of a step, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


def adding(progress: Progress, step: str, total: int) -> Callable[[int], None]:
    """Return a function that adds up a step's parts and reports the running total."""
    done = 0

    def add(part: int) -> None:
        nonlocal done
        done += part
        progress(step, done, total)

    return add
