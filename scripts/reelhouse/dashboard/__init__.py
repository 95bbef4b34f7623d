"""The dashboards and the report about the published tables."""
