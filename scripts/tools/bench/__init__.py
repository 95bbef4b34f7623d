"""Bench: what a run costs, beside what one would do instead, in one session.

This file imports nothing, since each contender begins by importing it.
"""
