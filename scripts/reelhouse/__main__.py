"""`python -m reelhouse` is `reelhouse`."""

from reelhouse.cli import main

main()
