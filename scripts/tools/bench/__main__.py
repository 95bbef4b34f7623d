"""`python -m tools.bench` is `reelhouse bench`."""

from tools.bench.command import bench

bench()
