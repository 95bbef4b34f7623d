"""Bench: what a run costs compared with its alternatives, measured in one session.

This file imports nothing, because each contender starts by importing it.
"""
