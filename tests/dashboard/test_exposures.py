"""Exposures: what dbt knows of each page equals what the page reads."""

from __future__ import annotations

from tests.project import PROJECT

from tools.exposures import EXPOSURES, exposures


def test_dbt_is_told_what_each_page_reads() -> None:
    written = (PROJECT / EXPOSURES).read_text(encoding="utf-8")
    assert written == exposures(), "run `make docs`, which writes it from the pages"
