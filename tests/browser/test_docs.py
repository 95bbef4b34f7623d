"""The documentation as one page: complete when opened from disk, without a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.project import PROJECT

from reelhouse.settings import Settings

pytestmark = pytest.mark.nightly

# Whether something is drawn: a canvas has a pixel that is not transparent.
IS_DRAWN = """
() => [...document.querySelectorAll('.launcher canvas')].some(canvas =>
    canvas.width && canvas.getContext('2d')
        .getImageData(0, 0, canvas.width, canvas.height)
        .data.some((value, place) => place % 4 === 3 && value > 0))
"""


@dataclass(frozen=True)
class Site:
    """The output of `dbt docs generate --static` for the sample's warehouse."""

    page: Path
    manifest: dict[str, Any]
    catalog: dict[str, Any]

    def url(self, place: str) -> str:
        return f"{self.page.as_uri()}#!/{place}"


@pytest.fixture(scope="module")
def site(sample: Settings, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The documentation of the sample, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copy(sample.database, folder)
    ran = subprocess.run(
        [
            str(Path(sys.executable).with_name("dbt")),
            *("--quiet", "docs", "generate", "--static", "--target", "dev"),
            *("--target-path", str(folder), "--log-path", str(folder)),
        ],
        cwd=PROJECT,
        env=os.environ | {"REELHOUSE_WAREHOUSE": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return Site(
        folder / "static_index.html",
        json.loads((folder / "manifest.json").read_text(encoding="utf-8")),
        json.loads((folder / "catalog.json").read_text(encoding="utf-8")),
    )


@pytest.fixture
def requests(context: BrowserContext) -> list[str]:
    """The addresses of all requests by the pages of this test."""
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    return asked


def _is_foreign(url: str) -> bool:
    """Whether an address is not on this disk; file://host/path is another host's."""
    return not url.startswith("file:///")


def _foreign(requests: list[str]) -> list[str]:
    assert requests, "nothing was watched"
    return [url for url in requests if _is_foreign(url)]


def _open(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(url)
    return page


def test_the_start_page_leads_to_a_model(
    site: Site, context: BrowserContext, requests: list[str]
) -> None:
    page = _open(context, site.url("overview"))
    expect(page.get_by_role("heading", name="Reelhouse")).to_be_visible()
    page.get_by_role("link", name="mart_user_engagement").click()
    heading = page.get_by_role("heading", name="mart_user_engagement")
    expect(heading).to_be_visible()
    assert _foreign(requests) == []


def test_a_model_shows_its_columns(
    site: Site, context: BrowserContext, requests: list[str]
) -> None:
    unique_id = "model.reelhouse.mart_movie_performance"
    columns = site.manifest["nodes"][unique_id]["columns"]
    page = _open(context, site.url(f"model/{unique_id}"))
    for name, column in columns.items():
        row = page.get_by_role("row").filter(
            has=page.get_by_text(name, exact=True),
        )
        # DuckDB has one name for both types.
        data_type = column["data_type"].upper().replace("DATETIME", "TIMESTAMP")
        expect(row).to_contain_text(data_type)
        row.click()
        described = page.get_by_text(" ".join(column["description"].split()))
        expect(described.filter(visible=True)).not_to_have_count(0)
    assert len(columns) == 10
    assert _foreign(requests) == []


def test_the_search_finds_a_model_by_a_column(
    site: Site, context: BrowserContext, requests: list[str]
) -> None:
    page = _open(context, site.url("overview"))
    page.get_by_placeholder("Search").fill("bayesian_rating")
    found = page.get_by_role("heading", name="mart_movie_performance")
    expect(found).to_be_visible()
    assert _foreign(requests) == []


def test_the_lineage_is_drawn(
    site: Site, context: BrowserContext, requests: list[str]
) -> None:
    page = _open(context, site.url("model/model.reelhouse.mart_movie_performance"))
    assert not page.evaluate(IS_DRAWN)
    page.get_by_title("View Lineage Graph").click()
    expect(page.get_by_text("Lineage Graph", exact=True)).to_be_visible()
    page.wait_for_function(IS_DRAWN)
    assert _foreign(requests) == []


def test_a_page_that_calls_home_would_be_noticed(
    site: Site, context: BrowserContext, requests: list[str], tmp_path: Path
) -> None:
    """dbt's page has a tracker, which the project's setting turns off."""
    text = site.page.read_text(encoding="utf-8")
    quiet = '"send_anonymous_usage_stats": false'
    assert text.count(quiet) == 1
    talkative = tmp_path / "talkative.html"
    talkative.write_text(text.replace(quiet, quiet.replace("false", "true")))
    page = context.new_page()
    with page.expect_event("request", lambda request: _is_foreign(request.url)):
        page.goto(talkative.as_uri())
    assert _foreign(requests) != []


@pytest.mark.parametrize("kind", ["nodes", "sources"])
def test_every_column_of_the_warehouse_is_described(kind: str, site: Site) -> None:
    entries = site.catalog[kind]
    assert entries
    for unique_id, entry in entries.items():
        described = site.manifest[kind][unique_id]["columns"]
        assert {name.lower() for name in entry["columns"]} == set(described), unique_id
