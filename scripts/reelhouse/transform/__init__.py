"""Raw tables in, marts out: dbt, and what is out of date."""
