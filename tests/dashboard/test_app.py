"""The app, page by page: what it shows, what filters do, what it says without data."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash
from tests.dashboard.conftest import Copy

from reelhouse.dashboard.page import pages
from reelhouse.dashboard.published import Reading, Serving
from reelhouse.dashboard.start import APP
from reelhouse.serving.csv_export import to_csv
from reelhouse.settings import Settings, environment
from tools.exposures import OF_PUBLISHING, TABLE, tables

pytestmark = pytest.mark.usefixtures("main_module")

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "**bold** _and_ `code` [link](http://example.invalid/)",
    ":red[red] :smile: $x^2$",
    '=HYPERLINK("http://example.invalid")',
    "</script><script>alert(1)</script>",
    "\u202e right to left \u00a0",
]


@pytest.fixture
def opened(sample: Settings) -> Iterator[AppTest]:
    """The app on the published sample, before its first run."""
    with environment(
        {"REELHOUSE_WAREHOUSE": str(sample.warehouse), "DBT_TARGET": "dev"}
    ):
        yield AppTest.from_file(str(APP), default_timeout=60)


def on(app: AppTest, page: str) -> AppTest:
    """Open a page and run it; it may show no exception."""
    app._page_hash = calc_hash(page)
    app.run()
    assert not app.exception
    return app


def html(app: AppTest) -> str:
    """Return all HTML of our own that is shown."""
    return "\n".join(each.proto.body for each in app.get("html"))


def figures(app: AppTest) -> dict[str, str]:
    """Return figures by name."""
    parts = html(app).split('<div class="rh-name">')[1:]
    found = {}
    for part in parts:
        name, _, rest = part.partition("</div>")
        found[name] = rest.split('rh-value">')[1].split("</div>")[0]
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The tables of every query that the app sends."""
    found: set[str] = set()
    read = Serving.read

    def watched(serving: Serving, questions: Collection[str]) -> Reading:
        for sql in questions:
            found.update(TABLE.findall(sql))
        return read(serving, questions)

    monkeypatch.setattr(Serving, "read", watched)
    return found


@pytest.mark.parametrize("page", pages())
def test_a_page_shows_its_charts_and_tables(
    page: str, opened: AppTest, asked: set[str]
) -> None:
    app = on(opened, page)
    # The tables of the filters, and some of the page's own.
    assert len(asked) > 3
    assert asked - OF_PUBLISHING <= set(tables(pages()[page]))
    assert f"<h1>{pages()[page].title}</h1>" in html(app)
    charts = app.get("vega_lite_chart")
    # The health page draws only rejects, and the sample has none.
    assert len(charts) >= (0 if page == "health" else 2)
    for chart in charts:
        spec = json.loads(chart.proto.spec)
        assert spec["config"]["font"].startswith("'Source Sans'")
    # Everything shown can be downloaded as CSV, with its query.
    shown = len(charts) + len(app.dataframe)
    assert shown >= 3
    assert len(app.get("download_button")) == len(app.code) == shown
    assert not any("not filtered" in each.lower() for each in [html(app)])
    assert "Published" in app.sidebar.get("html")[-1].proto.body


@pytest.mark.nightly
@pytest.mark.parametrize("page", pages())
def test_a_page_without_data_says_so(page: str, emptied: Path, opened: AppTest) -> None:
    with environment({"REELHOUSE_WAREHOUSE": str(emptied.parent)}):
        app = on(opened, page)
    assert 'class="rh-empty"' in html(app)
    assert app.get("vega_lite_chart") == []
    assert ("The data has no" in html(app)) == bool(pages()[page].subject)


def test_filters_act_and_stand_in_the_address(opened: AppTest) -> None:
    app = on(opened, "overview")
    before = figures(app)
    app.multiselect(key="genres").set_value(["Drama"])
    app.slider(key="years").set_value((1980, 1999))
    app.number_input(key="least").set_value(30)
    app.run()
    after = figures(app)
    assert app.query_params == {
        "genre": "Drama",
        "from": "1980",
        "to": "1999",
        "ratings": "30",
    }
    said = "Drama, released from 1980 up to 1999, movies with at least 30 ratings"
    assert said in html(app)
    assert 0 < _number(after["Ratings"]) < _number(before["Ratings"])

    carried = on(app, "catalogue")
    assert carried.query_params["genre"] == "Drama"
    assert said in html(carried)

    next(button for button in app.button if button.label == "Clear filters").click()
    app.run()
    assert app.query_params == {}
    assert figures(on(app, "overview")) == before


@pytest.mark.long
def test_a_period_is_compared_with_the_one_before(opened: AppTest) -> None:
    app = on(opened, "overview")
    assert "from the period before" not in html(app)
    app.selectbox(key="period").set_value("in the last five years").run()
    assert not app.exception
    assert "rated from 2013-09-26" in html(on(app, "genres"))
    app = on(app, "overview")
    assert html(app).count("from the period before") == 5
    assert app.query_params["until"] == "2018-09-25"


def test_an_address_sets_the_filters(opened: AppTest) -> None:
    opened.query_params["genre"] = ["Comedy", "no such genre"]
    opened.query_params["from"] = "1990"
    opened.query_params["ratings"] = "x"
    opened.query_params["since"] = "2010-01-01"
    opened.query_params["until"] = "2010-12-31"
    app = on(opened, "catalogue")
    assert app.multiselect(key="genres").value == ["Comedy"]
    assert app.slider(key="years").value[0] == 1990
    assert app.number_input(key="least").value == 0
    assert "rated from 2010-01-01 to 2010-12-31" in html(app)


@pytest.mark.long
def test_years_without_movies_set_no_limit(opened: AppTest) -> None:
    opened.query_params["from"] = opened.query_params["to"] = "1801"
    app = on(opened, "catalogue")
    slider = app.slider(key="years")
    assert slider.value == (slider.min, slider.max)
    assert "released" not in html(app).partition("Filtered")[2][:100]


@pytest.mark.long
@pytest.mark.parametrize(
    ("page", "of", "name"),
    [("movie", "2", None), ("genre", "Drama", "Drama"), ("user", "7", "User 7")],
)
def test_an_address_leads_to_a_page_of_one(
    page: str, of: str, name: str | None, opened: AppTest
) -> None:
    opened.query_params["of"] = of
    app = on(opened, page)
    assert app.query_params["of"] == of
    sections = html(app).split('rh-section">')[1:]
    assert sections[0].partition("<")[0] == (name or sections[0].partition("<")[0])
    assert "Nothing here has this name or number" not in html(app)


@pytest.mark.long
@pytest.mark.parametrize(
    ("page", "of"),
    [
        ("movie", "no such"),
        ("movie", "9" * 30),
        ("genre", "\\'"),
        ("tag", "1; drop table x"),
        ("user", "-1"),
    ],
)
def test_a_page_of_none_says_so(page: str, of: str, opened: AppTest) -> None:
    opened.query_params["of"] = of
    app = on(opened, page)
    shown = html(app).partition("<style>")[0]
    assert shown.count('class="rh-empty"') == 1
    assert "Nothing here has this name or number" in shown
    assert "rh-title" not in shown
    assert "rh-figures" not in shown


def test_a_search_lists_what_fits(opened: AppTest) -> None:
    app = on(opened, "health")
    app.text_input(key="search").set_value("harbour").run()
    found = [button.label for button in app.button if "harbour" in button.label.lower()]
    assert 0 < len(found) <= 18
    app.text_input(key="search").set_value("100% _ ' no such title").run()
    assert not app.exception
    assert "No name contains all of these words." in html(app)


@pytest.mark.long
def test_filters_that_do_not_act_are_told_of_in_their_place(opened: AppTest) -> None:
    app = on(opened, "content")
    assert "Not filtered" not in html(app)
    app.multiselect(key="genres").set_value(["Drama"]).run()
    assert "Filtered: Drama." in html(app)
    # Only the genome's section, because its mart covers all movies.
    assert html(app).count("Not filtered by genres.") == 1
    assert "Filtered" not in html(on(app, "audience"))


@pytest.mark.long
def test_filters_that_no_movie_fits_are_said_so(opened: AppTest) -> None:
    app = on(opened, "catalogue")
    app.number_input(key="least").set_value(1_000_000).run()
    assert not app.exception
    assert html(app).count("The filters may be the reason.") > 3
    assert 'class="rh-finding"' not in html(app)


@pytest.mark.parametrize(
    "page",
    [
        "catalogue",
        *(
            pytest.param(page, marks=pytest.mark.nightly)
            for page in pages()
            if page != "catalogue"
        ),
    ],
)
def test_texts_of_the_data_are_shown_as_they_are(
    page: str, changed: Copy, opened: AppTest
) -> None:
    """Whatever text is in a title, a tag, a genre or a reason."""
    texts = ", ".join("'" + text.replace("'", "''") + "'" for text in HOSTILE)
    a_text = (
        f"list_extract([{texts}], cast(1 + abs(hash({{}})) % {len(HOSTILE)} as int))"
    )
    statements = [
        f"update {table} set {column} = {a_text.format(key)}"
        for table, column, key in (
            ("dim_movies", "title", "movie_id"),
            ("mart_movie_performance", "title", "movie_id"),
            ("mart_movie_momentum", "title", "movie_id"),
            ("mart_movie_recommendations", "title", "movie_id"),
            ("dim_movies_history", "title", "movie_id"),
            ("mart_user_tags", "tag_normalised", "tag_normalised"),
            ("fct_tags", "tag_normalised", "tag_normalised"),
            ("dim_genome_tags", "tag", "tag_id"),
            ("mart_tag_relevance", "tag", "tag_id"),
            ("mart_tag_performance", "tag", "tag_id"),
        )
    ]
    statements += [
        f"insert into dim_genres values ('{HOSTILE[0]}', true)",
        f"insert into health_rejects values ('a.csv', '{HOSTILE[0]}', 3)",
        f"update dim_movies set genres = '{HOSTILE[0]}', imdb_url = 'javascript:1'",
    ]
    path = changed(*statements)
    with environment({"REELHOUSE_WAREHOUSE": str(path.parent)}):
        opened.query_params["genre"] = HOSTILE[0]
        app = on(opened, page)
    shown = html(app)
    # A page without filters that act on it shows none.
    if "Filtered:" in shown:
        assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    for raw in ("<img", "<script", "javascript:"):
        assert raw not in shown
    # No text of the data goes through Markdown.
    for each in app.markdown:
        assert not any(text in each.value for text in HOSTILE)


@pytest.mark.long
def test_a_download_holds_no_formula(
    changed: Copy, opened: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bytes] = []

    def kept(names: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
        made.append(to_csv(names, rows))
        return made[-1]

    monkeypatch.setattr("reelhouse.serving.csv_export.to_csv", kept)
    path = changed("update mart_movie_performance set title = '=1+1, ' || title")
    with environment({"REELHOUSE_WAREHOUSE": str(path.parent)}):
        app = on(opened, "catalogue")
    assert len(made) == len(app.get("download_button"))
    lines = made[-1].decode("utf-8-sig").splitlines()
    assert len(lines) == 893
    assert all(line.startswith("\"'=1+1, ") for line in lines[1:])


@pytest.mark.long
def test_nothing_published_is_said_so(opened: AppTest, tmp_path: Path) -> None:
    with environment({"REELHOUSE_WAREHOUSE": str(tmp_path)}):
        opened.run()
    assert not opened.exception
    assert "nothing has been published yet" in html(opened)


def _number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.long
@pytest.mark.parametrize(
    ("since", "until"), [("1960-01-01", "1975-12-31"), ("2018-01-01", "2018-12-31")]
)
def test_days_outside_of_the_data_leave_a_page(
    since: str, until: str, opened: AppTest
) -> None:
    opened.query_params.update({"since": since, "until": until})
    app = on(opened, "genres")
    days = tuple(map(date.fromisoformat, (since, until)))
    assert app.sidebar.date_input[0].value == days
