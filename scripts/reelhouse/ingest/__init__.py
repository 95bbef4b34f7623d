"""Loads files into the raw tables."""
