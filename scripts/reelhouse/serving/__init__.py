"""Publishes marts, and reads what is published."""
