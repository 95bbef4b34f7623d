"""The dashboards and the report: what is published, to be looked at."""
