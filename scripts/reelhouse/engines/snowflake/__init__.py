"""Snowflake: an account."""
