"""Generate and download MovieLens files."""
