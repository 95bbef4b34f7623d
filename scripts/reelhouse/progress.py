"""Progress: how a long step tells what it has done."""

from collections.abc import Callable

# Gets the name of a step, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


def adding(progress: Progress, step: str, total: int) -> Callable[[int], None]:
    """Takes what a step does part by part, and tells how much that is in all."""
    done = 0

    def add(part: int) -> None:
        nonlocal done
        done += part
        progress(step, done, total)

    return add
