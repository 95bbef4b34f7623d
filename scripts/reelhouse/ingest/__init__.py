"""Files in, raw tables out."""
