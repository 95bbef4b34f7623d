"""Marts in, published tables out, and all that reads them."""
