"""Reelhouse: a local-first movie-analytics warehouse on MovieLens data."""
