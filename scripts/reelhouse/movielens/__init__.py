"""What knows of movies and is not dbt."""
