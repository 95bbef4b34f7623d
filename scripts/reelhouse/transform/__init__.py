"""Builds marts from raw tables with dbt, and finds what is out of date."""
