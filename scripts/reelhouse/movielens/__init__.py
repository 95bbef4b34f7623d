"""Code about movies outside dbt: made and downloaded files."""
