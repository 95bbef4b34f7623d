"""Tools for development; they are no part of the package."""
