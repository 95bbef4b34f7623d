"""Exposures: what dbt knows of each page is what the page reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from reelhouse.dashboard.panels import TITLES
from reelhouse.dashboard.questions import TABLE, tables_read
from reelhouse.dashboard.serving import Reading, Serving
from reelhouse.dashboard.start import APP, USUAL_PORT
from reelhouse.settings import PROJECT, Settings, environment

pytestmark = pytest.mark.usefixtures("main_module")

# What `publish` adds to the tables of the models.
OF_PUBLISHING = {"publication", "published_tables"}
DECLARED: dict[str, dict[str, Any]] = {
    each["name"]: each
    for each in yaml.safe_load(
        (PROJECT / "models/_exposures.yml").read_text(encoding="utf-8")
    )["exposures"]
}


def tables(page: str) -> list[str]:
    """The tables that a page's exposure depends on."""
    return [
        each.removeprefix("ref('").removesuffix("')")
        for each in DECLARED[page]["depends_on"]
    ]


def test_every_page_is_an_exposure() -> None:
    assert list(DECLARED) == list(TITLES)


@pytest.mark.parametrize("page", TITLES)
def test_an_exposure_depends_on_what_its_page_reads(page: str) -> None:
    assert tables(page) == sorted(tables_read(page) - OF_PUBLISHING)


@pytest.mark.parametrize("page", TITLES)
def test_an_exposure_says_whose_it_is_and_where(page: str) -> None:
    exposure = DECLARED[page]
    assert exposure["label"] == TITLES[page]
    # The first page has no path of its own.
    path = "" if page == "overview" else f"/{page}"
    assert exposure["url"] == f"http://127.0.0.1:{USUAL_PORT}{path}"
    assert exposure["owner"]["name"]
    assert exposure["owner"]["email"].endswith("@example.com")


@pytest.fixture
def read_tables(
    sample: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[set[str]]:
    """The tables of every question that the app asks of the published sample."""
    asked: set[str] = set()
    read = Serving.read

    def watched(serving: Serving, questions: Mapping[str, str]) -> Reading:
        for sql in questions.values():
            asked.update(TABLE.findall(sql))
        return read(serving, questions)

    monkeypatch.setattr(Serving, "read", watched)
    variables = {"REELHOUSE_WAREHOUSE": str(sample.warehouse), "DBT_TARGET": "dev"}
    with environment(variables):
        yield asked


@pytest.mark.parametrize("page", TITLES)
def test_a_page_reads_no_other_table(page: str, read_tables: set[str]) -> None:
    for parameters in ({}, {"genre": ["Drama"], "from": ["1990"], "ratings": ["2"]}):
        app = AppTest.from_file(str(APP), default_timeout=60)
        for name, values in parameters.items():
            app.query_params[name] = values
        app._page_hash = calc_hash(page)
        read_tables.clear()
        app.run()
        assert not app.exception
        shown = [each.proto.body for each in app.get("html")]
        assert any(f"<h1>{TITLES[page]}</h1>" in body for body in shown)
        # Those of the filters, and some of its own.
        assert len(read_tables - OF_PUBLISHING) > 2
        assert read_tables - OF_PUBLISHING <= set(tables(page))
