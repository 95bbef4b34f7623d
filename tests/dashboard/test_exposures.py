"""Exposures: what dbt knows of each page is what the page reads."""

from __future__ import annotations

from typing import Any

import yaml
from tests.project import PROJECT

from reelhouse.dashboard.panels import TITLES
from reelhouse.dashboard.questions import tables_read
from reelhouse.dashboard.start import USUAL_PORT

# What `publish` adds to the tables of the models.
OF_PUBLISHING = {"publication", "published_tables"}
DECLARED: dict[str, dict[str, Any]] = {
    each["name"]: each
    for each in yaml.safe_load(
        (PROJECT / "models/_exposures.yml").read_text(encoding="utf-8")
    )["exposures"]
}


def test_an_exposure_is_a_page_with_its_place_and_what_it_reads() -> None:
    expected = {
        page: {
            "label": title,
            # The first page has no path of its own.
            "url": f"http://127.0.0.1:{USUAL_PORT}"
            + ("" if page == "overview" else f"/{page}"),
            "depends_on": [
                f"ref('{table}')" for table in sorted(tables_read(page) - OF_PUBLISHING)
            ],
        }
        for page, title in TITLES.items()
    }
    found = {
        page: {key: exposure[key] for key in expected[page]}
        for page, exposure in DECLARED.items()
    }
    assert found == expected
