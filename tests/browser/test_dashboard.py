"""The dashboards and the report in a browser that can reach only this machine."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    ViewportSize,
    expect,
)
from tests.project import PROJECT

from reelhouse.dashboard.page import pages
from reelhouse.dashboard.report import write_report
from reelhouse.settings import Settings

pytestmark = pytest.mark.long

# Screenshots for a person to look at.
SCREENSHOTS = PROJECT / "target/screenshots"
LOOKS: dict[str, ViewportSize] = {
    "wide": {"width": 1280, "height": 900},
    "dark": {"width": 1280, "height": 900},
    "narrow": {"width": 390, "height": 844},
    "middle": {"width": 800, "height": 1000},
}
# Far more than is needed on an idle machine.
START_SECONDS = 120
PATIENCE = 180_000
expect.set_options(timeout=60_000)
IS_LOADED = """
() => !document.querySelector('[data-testid=stSkeleton]')
    && document.querySelector('.rh-foot')
    && [...document.querySelectorAll('[data-testid=stVegaLiteChart]')]
        .every(chart => chart.querySelector('canvas, svg'))
"""
# Finds charts side by side that do not start at the same height, by title.
UNEVEN = """
() => [...document.querySelectorAll('.stHorizontalBlock:has(.rh-title)')]
    .filter(row => {
        const seconds = '.stColumn > .stVerticalBlock > :nth-child(2)';
        const places = [...row.querySelectorAll(seconds)]
            .map(chart => chart.getBoundingClientRect());
        const differ = side => new Set(places.map(at => Math.round(at[side]))).size > 1;
        return differ('left') && differ('top');
    })
    .map(row => row.querySelector('.rh-title').innerText)
"""
# Finds texts with less contrast than WCAG's 4.5 to 1, after blending colours.
CONTRAST = """
() => {
  const parse = text => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith('color(') ? found.map((v, i) => i < 3 ? v * 255 : v) : found;
  };
  const over = (top, under) => {
    const alpha = top[3] === undefined ? 1 : top[3];
    return [0, 1, 2].map(i => top[i] * alpha + under[i] * (1 - alpha));
  };
  const light = rgb => rgb.map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const app = getComputedStyle(document.querySelector('.stApp'));
  const ground = over(parse(app.backgroundColor), [0, 0, 0]);
  const poor = [];
  for (const each of document.querySelectorAll('[class^=rh-], [class^=rh-] a')) {
    if (!each.innerText || !each.offsetParent) continue;
    let faint = 1;
    for (let at = each; at; at = at.parentElement)
      faint *= getComputedStyle(at).opacity;
    const style = getComputedStyle(each);
    const ink = over([...over(parse(style.color), ground), faint], ground);
    const [one, other] = [light(ink), light(ground)].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) poor.push(each.className + ' ' + ratio.toFixed(2));
  }
  return poor;
}
"""
HOSTILE = "<img src=http://example.invalid/x.png onerror=alert(1)> **bold** $x$ :smile:"


@dataclass
class Served:
    """The dashboards on a published file of their own, a copy of the sample's."""

    address: str
    published: Path
    original: Path
    version: int = 0

    def publish(self, *statements: str) -> str:
        """Publish a changed copy, as a publish does, and return its version."""
        self.version += 1
        version = f"{self.version:08}"
        scratch = self.published.with_name("scratch.duckdb")
        shutil.copyfile(self.original, scratch)
        with duckdb.connect(str(scratch)) as connection:
            connection.execute("use serving")
            connection.execute(f"update publication set version = '{version}'")
            for statement in statements:
                connection.execute(statement)
        scratch.replace(self.published)
        return version


@pytest.fixture(scope="module")
def started(
    sample: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The dashboards, started by their command in a folder outside of the project."""
    folder = tmp_path_factory.mktemp("dashboard")
    published = folder / "published.duckdb"
    shutil.copyfile(sample.published, published)
    # The settings of this user's other apps must not affect it.
    others = folder / "home/.streamlit/config.toml"
    others.parent.mkdir(parents=True)
    others.write_text('[server]\nbaseUrlPath = "elsewhere"\n')
    with subprocess.Popen(
        [sys.executable, "-m", "reelhouse", "dashboard"],
        cwd=folder,
        env=os.environ
        | {
            "REELHOUSE_WAREHOUSE": str(folder),
            "PYTHONPATH": str(PROJECT / "scripts"),
            "DBT_TARGET": "dev",
            "HOME": str(folder / "home"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout
            said = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert found, said
            _wait_until_it_listens(found[0], process)
            yield Served(found[0], published, sample.published)
        finally:
            process.send_signal(signal.SIGINT)
            rest = process.communicate(timeout=30)[0]
        # It prints nothing else, and ends at once.
        assert rest == ""


def test_it_ends_in_a_query_and_though_nobody_reads_its_words(
    sample: Settings, tmp_path: Path, context: BrowserContext
) -> None:
    shutil.copyfile(sample.published, tmp_path / "published.duckdb")
    with duckdb.connect(str(tmp_path / "published.duckdb")) as connection:
        connection.execute("use serving")
        connection.execute("alter table dim_genres rename to genres")
        connection.execute(
            "create view dim_genres as select * from genres where "
            "(select count(*) from range(500_000_000) as r(x) where sqrt(x) >= 0) > 0"
        )
    with subprocess.Popen(
        [sys.executable, "-m", "reelhouse", "dashboard"],
        env=os.environ
        | {
            "REELHOUSE_WAREHOUSE": str(tmp_path),
            "PYTHONPATH": str(PROJECT / "scripts"),
            "DBT_TARGET": "dev",
        },
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        said = process.stdout.readline()
        process.stdout.close()
        try:
            found = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert found, said
            _wait_until_it_listens(found[0], process)
            page = context.new_page()
            page.goto(found[0])
            # The app starts its query then.
            expect(page).to_have_title("Reelhouse")
            page.wait_for_timeout(500)
            process.terminate()
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()


@pytest.fixture
def served(started: Served) -> Served:
    """The dashboards with their first data, whatever an earlier test did."""
    if started.version:
        started.publish()
    return started


def _wait_until_it_listens(address: str, process: subprocess.Popen[str]) -> None:
    import requests

    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{address}/_stcore/health", timeout=1).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    pytest.fail("the dashboards did not start")


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture(params=["wide"])
def context(
    browser: Browser, request: pytest.FixtureRequest, asked: list[str]
) -> Iterator[BrowserContext]:
    """A new browser profile; a request to another machine fails the test."""
    context = browser.new_context(
        viewport=LOOKS[request.param],
        color_scheme="dark" if request.param == "dark" else "light",
        # Far from UTC: here a month would begin in the previous one.
        timezone_id="America/Los_Angeles",
    )
    context.on("request", lambda request: asked.append(request.url))
    context.on("page", lambda page: page.on("websocket", lambda w: asked.append(w.url)))
    yield context
    context.close()
    assert [url for url in asked if _is_foreign(url)] == []


def _is_foreign(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in {"data", "blob", "file"} and parts.hostname not in {
        "127.0.0.1"
    }


def _open(context: BrowserContext, served: Served, place: str = "") -> Page:
    page = context.new_page()
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(f"{served.address}/{place}")
    _loaded(page)
    return page


def _loaded(page: Page) -> None:
    page.wait_for_function(IS_LOADED, timeout=PATIENCE)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def _figure(page: Page, name: str) -> Locator:
    cell = page.locator(".rh-figures > div").filter(
        has=page.get_by_text(name, exact=True)
    )
    return cell.locator(".rh-value")


def test_the_first_page_shows_figures(served: Served, context: BrowserContext) -> None:
    page = _open(context, served)
    expect(page).to_have_title("Reelhouse")
    expect(_figure(page, "Ratings")).to_have_text("28,000")
    expect(_figure(page, "Movies rated")).to_have_text("892")


# One window is resized for each look; colours are set when a page is opened.
@pytest.mark.nightly
@pytest.mark.parametrize(
    ("context", "looks"),
    [
        ("wide", ("wide", "middle", "narrow")),
        pytest.param("dark", ("dark",), marks=pytest.mark.nightly),
    ],
    indirect=["context"],
)
def test_every_page_fits_its_window(
    served: Served, context: BrowserContext, looks: tuple[str, ...]
) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for name, each in pages().items():
        page = _open(context, served, "" if name == "overview" else name)
        expect(page.get_by_role("heading", name=each.title, level=1)).to_be_visible()
        assert page.evaluate(CONTRAST) == [], name
        for look in looks:
            page.set_viewport_size(LOOKS[look])
            _screenshot(page, f"{name}-{look}")
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= LOOKS[look]["width"], (name, look)
            assert page.evaluate(UNEVEN) == [], (name, look)
            ground = page.evaluate(
                "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
            )
            assert (
                ground == f"rgb({'20, 23, 27' if look == 'dark' else '252, 251, 248'})"
            )
        page.close()


def _screenshot(page: Page, name: str) -> None:
    """Take a screenshot of a whole page, which scrolls inside itself."""
    size = page.viewport_size
    assert size
    height = page.evaluate(
        "document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight"
    )
    page.set_viewport_size({"width": size["width"], "height": max(height, 400)})
    _loaded(page)
    # Charts are redrawn in the taller window.
    page.wait_for_timeout(500)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_a_filter_acts_and_stays_from_page_to_page(
    served: Served, context: BrowserContext
) -> None:
    page = _open(context, served)
    page.get_by_test_id("stMultiSelect").locator("input").fill("Western")
    page.keyboard.press("Enter")
    # An open list hides the menu from assistive technology.
    page.keyboard.press("Escape")
    said = page.get_by_text("Filtered: Western.")
    expect(said).to_be_visible()
    expect(_figure(page, "Ratings")).not_to_have_text("28,000")
    expect(page).to_have_url(re.compile(r"genre=Western"))
    page.get_by_role("link", name="Catalogue").click()
    expect(page.get_by_role("heading", name="Catalogue", level=1)).to_be_visible()
    expect(said).to_be_visible()
    expect(page).to_have_url(re.compile(r"/catalogue\?genre=Western"))
    page.reload()
    _loaded(page)
    expect(said).to_be_visible()


def test_what_is_published_shows_up_by_itself(
    served: Served, context: BrowserContext
) -> None:
    page = _open(context, served)
    expect(_figure(page, "Ratings")).to_have_text("28,000")
    version = served.publish("delete from fct_ratings where user_id % 2 = 0")
    expect(page.locator(".rh-foot")).to_contain_text(version)
    figure = _figure(page, "Ratings")
    expect(figure).not_to_have_text("28,000")
    assert 0 < int(figure.inner_text().replace(",", "")) < 28_000


def test_what_is_downloaded_runs_no_formula(
    served: Served, context: BrowserContext, tmp_path: Path
) -> None:
    served.publish("update fct_tags set tag_normalised = '=1+1' || hash(tag)")
    page = _open(context, served, "content")
    # Streamlit's own download would leave formulas as they are.
    page.get_by_test_id("stDataFrame").last.hover()
    offered = page.get_by_test_id("stElementToolbar").last.locator("button")
    assert [each.get_attribute("aria-label") for each in offered.all()] == [
        "Show/hide columns",
        "Search",
        "Fullscreen",
    ]
    page.get_by_text("Query, definitions, CSV").last.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").last.click()
    download.value.save_as(tmp_path / "tags.csv")
    lines = (tmp_path / "tags.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "tag,times applied,movies,users,last tagged at (UTC)"
    assert len(lines) > 50
    assert all(line.startswith("'=1+1") for line in lines[1:])


@pytest.mark.nightly
def test_texts_of_the_data_do_nothing(served: Served, context: BrowserContext) -> None:
    served.publish(
        f"update dim_movies set title = '{HOSTILE}', genres = '{HOSTILE}'",
        f"update mart_movie_performance set title = '{HOSTILE}'",
        f"insert into dim_genres values ('{HOSTILE}', true)",
    )
    page = _open(context, served, "catalogue")
    expect(page.locator(".rh-finding").first).to_contain_text(HOSTILE)
    chart = page.get_by_test_id("stVegaLiteChart").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    for step in range(20):
        page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 5 + step * 12)
        page.mouse.move(box["x"] + box["width"] * 0.5 + step * 10, box["y"] + 60)
    _search(page, "bold")
    expect(_found(page).first).to_contain_text(HOSTILE)
    assert page.locator("img[src*='example']").count() == 0
    main = page.get_by_test_id("stMain")
    assert main.locator("strong, .katex").count() == 0


def _search(page: Page, text: str) -> None:
    page.get_by_placeholder("Search:").fill(text)
    page.keyboard.press("Enter")


def _found(page: Page) -> Locator:
    return page.get_by_test_id("stBaseButton-tertiary")


@pytest.mark.nightly
def test_a_movie_is_searched_for_and_left_again_by_the_back_button(
    served: Served, context: BrowserContext
) -> None:
    page = _open(context, served, "catalogue?genre=Drama")
    _search(page, "the harbour")
    expect(_found(page).first).to_be_visible()
    title = _found(page).first.inner_text().partition(" — ")[0]
    _found(page).first.click()
    expect(page.locator(".rh-section").first).to_have_text(title)
    expect(page).to_have_url(re.compile(r"/movie\?of=\d+$"))
    # The search text is cleared.
    expect(page.get_by_placeholder("Search:")).to_have_value("")
    shared = page.url
    page.go_back()
    expect(page.get_by_role("heading", name="Catalogue", level=1)).to_be_visible()
    expect(page).to_have_url(re.compile(r"/catalogue\?genre=Drama$"))
    expect(page.get_by_text("Filtered: Drama.")).to_be_visible()
    # The address alone is enough for somebody else.
    other = context.new_page()
    other.goto(shared)
    _loaded(other)
    expect(other.locator(".rh-section").first).to_have_text(title)


@pytest.mark.nightly
def test_from_the_genre_that_fell_to_the_movies_that_made_it(
    served: Served, context: BrowserContext
) -> None:
    """Find the genre that fell most in five years, and the movies that drove it."""
    page = _open(context, served)
    page.get_by_role("link", name="Genres").click()
    expect(page.get_by_role("heading", name="Genres", level=1)).to_be_visible()
    fell = page.locator(".rh-finding", has_text="the most of all genres").first
    genre = fell.get_by_role("link").first.inner_text()
    fell.get_by_role("link").first.click()
    expect(page.locator(".rh-section").first).to_have_text(genre)
    _loaded(page)
    carried = page.locator(".rh-finding", has_text="pulled it down most")
    expect(carried).to_be_visible()
    carried.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(r"/movie\?of=\d+"))
    page.go_back()
    page.go_back()
    expect(page.get_by_role("heading", name="Genres", level=1)).to_be_visible()


@pytest.mark.nightly
def test_a_bar_and_a_row_lead_to_what_they_are_of(
    served: Served, context: BrowserContext
) -> None:
    page = _open(context, served, "genres")
    chart = page.get_by_test_id("stVegaLiteChart").nth(2)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    # The first bar, of the genre with the most ratings.
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + 16)
    expect(page).to_have_url(re.compile(r"/genre\?of=Drama"))
    page = _open(context, served, "recommendation")
    table = page.get_by_test_id("stDataFrame").first
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    assert box
    page.mouse.click(box["x"] + 16, box["y"] + 52)
    expect(page).to_have_url(re.compile(r"/movie\?of=\d+"))
    page.go_back()
    expect(page.get_by_role("heading", name="Recommendation", level=1)).to_be_visible()


def test_the_keyboard_is_enough(served: Served, context: BrowserContext) -> None:
    page = _open(context, served, "health")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.placeholder || ''").startswith(
            "Search"
        ):
            break
    page.keyboard.type("drama")
    page.keyboard.press("Enter")
    expect(_found(page).first).to_be_visible()
    for _ in range(10):
        page.keyboard.press("Tab")
        at = page.evaluate("document.activeElement.innerText || ''")
        if "Drama — genre" in at:
            break
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/genre\?of=Drama"))


# Finds texts that extend beyond their chart and are cut off.
CUT_OFF = """
() => [...document.querySelectorAll('.rh-chart svg')]
    .filter(svg => getComputedStyle(svg).overflow !== 'visible')
    .flatMap(svg => [...svg.querySelectorAll('text')].filter(text =>
        text.getBoundingClientRect().bottom > svg.getBoundingClientRect().bottom))
    .map(text => text.textContent)
"""


@pytest.mark.nightly
def test_the_report_needs_nothing_but_itself(
    sample: Settings, context: BrowserContext, tmp_path: Path, asked: list[str]
) -> None:
    out = tmp_path / "report.html"
    write_report(sample, out, lambda *_: None)
    context.set_offline(True)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for look, size in LOOKS.items():
        page = context.new_page()
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        page.set_viewport_size(size)
        page.emulate_media(color_scheme="dark" if look == "dark" else "light")
        page.goto(out.as_uri())
        expect(page.locator(".rh-chart:not(:has(svg))")).to_have_count(0)
        assert page.locator(".rh-chart svg").count() > 20
        assert page.evaluate(CUT_OFF) == []
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], look
        page.screenshot(path=SCREENSHOTS / f"report-{look}.png", full_page=True)
        page.close()
    assert {*asked} == {out.as_uri()}
