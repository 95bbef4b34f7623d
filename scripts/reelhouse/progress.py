"""Progress: how a long step tells what it has done."""

from collections.abc import Callable

# Gets the name of a step, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]
