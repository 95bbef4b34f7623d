"""`python -m reelhouse` is `reelhouse`."""

from reelhouse.cli.main import main

main()
