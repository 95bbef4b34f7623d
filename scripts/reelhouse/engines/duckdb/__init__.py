"""DuckDB: a warehouse file."""
