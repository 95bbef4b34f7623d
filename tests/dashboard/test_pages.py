"""Pages: what they ask, what they say, and which filters act on them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import sqlglot

from reelhouse.dashboard import markup
from reelhouse.dashboard import page as words
from reelhouse.dashboard.filters import KINDS, Filters
from reelhouse.dashboard.page import (
    At,
    Block,
    Facts,
    Figures,
    Says,
    Shown,
    Verdict,
    first,
    flat,
    last,
    least,
    most,
    pages,
    questions,
    tidy,
)
from reelhouse.dashboard.published import Published, Serving
from reelhouse.settings import Settings
from tools.exposures import LOOKS, SOME, asked

ENDS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {"low": first, "high": last}
GENRES = pd.DataFrame(
    {"genre": ["War", "Western"], "rating_count": [40, 30], "average": [3.5, 3.25]}
)


@pytest.mark.long
@pytest.mark.parametrize("name", pages())
def test_a_page_asks_one_select_after_the_other_of_serving(name: str) -> None:
    for sql in asked(pages()[name]):
        for dialect in ("duckdb", "snowflake"):
            (statement,) = sqlglot.parse(tidy(sql), dialect=dialect)
            assert isinstance(statement, sqlglot.exp.Query), sql
        assert statement
        named = {cte.alias for cte in statement.find_all(sqlglot.exp.CTE)}
        tables = statement.find_all(sqlglot.exp.Table)
        read = {table.db for table in tables if table.name not in named}
        assert read == {"serving"}, sql


@pytest.mark.parametrize("name", pages())
def test_a_page_has_what_readers_want_of_one(name: str) -> None:
    page = pages()[name]
    blocks = list(flat(page.at(LOOKS[0])))
    shown = {block.title for block in blocks if isinstance(block, Shown)}
    assert len(shown) == sum(isinstance(block, Shown) for block in blocks)
    said = [b for b in blocks if isinstance(b, Says) and not isinstance(b, Facts)]
    assert 1 <= len(said) <= 4
    # A sentence links to a chart that exists.
    assert {block.see for block in said} - {""} <= shown
    assert set(page.filters) <= set(KINDS)


@pytest.mark.long
@pytest.mark.parametrize("name", pages())
def test_what_a_page_asks_is_answered_within_limits(
    name: str, sample: Settings
) -> None:
    answers = Serving(Published(sample)).read(asked(pages()[name]))
    assert max(len(frame) for frame in answers.frames.values()) <= 3_000
    # Column names are unique, because charts refer to them.
    for sql, frame in answers.frames.items():
        assert len(set(frame)) == len(frame.columns), sql


@pytest.mark.parametrize("name", pages())
def test_a_filter_acts_on_a_figure_or_is_said_not_to(name: str) -> None:
    """For each kind alone: the query changes, or the page says that it does not."""
    page = pages()[name]
    for kind in page.filters:
        at = At(SOME.only([kind]), "1", date(1996, 3, 25), date(2018, 9, 25))
        unheard = page.unheard(at)
        without = set(questions(page.at(At(Filters(), "1", at.first_day, at.last_day))))
        assert {sql for sql, kinds in unheard.items() if kinds} == without & set(
            unheard
        )
    if page.filters:
        heard = page.unheard(At(SOME.only(page.filters), "1"))
        assert not all(heard.values()), "no figure of the page hears its filters"


def test_the_audience_is_not_said_to_be_filtered() -> None:
    page = pages()["audience"]
    at = At(SOME)
    assert questions(page.at(at)) == questions(page.at(At()))
    assert at.filters.only(page.filters).described() == ""


def said(block: Says, frame: pd.DataFrame) -> str:
    return markup.says(block, frame, with_links=True)


def test_a_sentence_tells_of_the_rows_that_its_rules_pick() -> None:
    block = Says(
        "[{low.genre}](genre {low.genre}) has {low.rating_count:,}, **{high.genre}** "
        "{high.average:.2f}.",
        "",
        "The chart",
        rows=ENDS,
    )
    assert said(block, GENRES) == (
        '<p class="rh-finding"><a href="genre?of=War" target="_self">War</a> has 40, '
        '<b>Western</b> 3.25. <a href="#the-chart" title="The chart">See below</a></p>'
    )
    assert "genre?of" not in markup.says(block, GENRES)


def test_one_of_a_kind_is_one() -> None:
    block = Facts("{n:,} ratings · of {m:,.0f} movies · {n} users was", "", counted="")
    for n, m, told in (
        (1, 1.0, "1 rating · of 1 movie · 1 users was"),
        (2, 1_000.0, "2 ratings · of 1,000 movies · 2 users was"),
    ):
        frame = pd.DataFrame({"n": [n], "m": [m]})
        assert said(block, frame) == f'<p class="rh-facts">{told}</p>'
    none = pd.DataFrame({"n": pd.array([None], dtype="Int64"), "m": [None]})
    assert said(block, none) == '<p class="rh-facts"></p>'


def test_what_can_be_picked_is_said_where_it_can() -> None:
    rows = GENRES.assign(movie_id=[1, 2])
    block = Shown("The movies", says="The best.", to="movie")
    assert "The best. Pick a row to go to the movie." in markup.block(
        block, rows, with_links=True
    )
    for made in (
        markup.block(block, rows),
        markup.block(block, rows.head(0), with_links=True),
    ):
        assert "The best.</p>" in made


def test_nothing_is_said_of_too_few() -> None:
    block = Says("{low.genre} and {high.genre}.", "", rows=ENDS)
    assert said(block, GENRES)
    # One row has too few ratings, and then there are too few rows.
    assert said(block, GENRES.assign(rating_count=[40, 29])) == ""
    assert said(block, GENRES.head(0)) == ""
    assert said(Says("{average:.1f}.", ""), GENRES.assign(average=None)) == ""
    none = {"low": lambda _: None}
    assert said(Says("{low.genre}.", "", rows=none), GENRES) == ""


def test_the_most_and_the_least_are_picked_whatever_is_missing() -> None:
    frame = pd.DataFrame({"n": pd.array([1, 3, None, 2], dtype="Int64")}).astype(object)
    assert (most("n")(frame)["n"], least("n")(frame)["n"]) == (3, 1)


def test_a_fact_without_its_value_is_left_out() -> None:
    frame = pd.DataFrame({"a": [1], "b": [None], "url": ["javascript:alert(1)"]})
    block = Facts("one **{a}** · two **{b}** · [there]({url})", "", counted="")
    assert said(block, frame) == '<p class="rh-facts">one <b>1</b></p>'


def test_a_verdict_is_green_or_red() -> None:
    for is_well, kind in ((True, "rh-well"), (False, "rh-ill")):
        frame = pd.DataFrame({"is_well": [is_well], "verdict": ["So it is"]})
        assert kind in said(Verdict("{verdict}.", "", counted=""), frame)
        nothing = said(
            Verdict("{verdict}: {at}.", "", counted=""), frame.assign(at=None)
        )
        assert kind in nothing
        assert ">So it is.<" in nothing


def test_data_are_text_wherever_they_stand() -> None:
    hostile = "</p><script>{0}**[x](movie 1)"
    frame = pd.DataFrame({"title": [hostile], "rating_count": [50]})
    made = said(Says("[{title}](tag {title}) is **{title}**.", ""), frame)
    assert "<script" not in made
    assert made.count("<a ") == 1
    assert 'href="tag?of=%3C%2Fp%3E%3Cscript%3E' in made
    assert "<script" not in markup.table(frame, 5)
    assert "<script" not in markup.figures(Figures("", {"x": ("{title}", "")}), frame)


def answer(sample: Settings, name: str, title: str, at: At) -> pd.DataFrame:
    (block,) = (
        each
        for each in flat(pages()[name].at(at))
        if isinstance(each, Shown) and each.title == title
    )
    return Serving(Published(sample)).ask(tidy(block.sql))


def test_the_movies_that_made_a_change_add_up_to_it(sample: Settings) -> None:
    days = (date(1996, 3, 25), date(2018, 9, 25))
    changes = answer(
        sample, "genres", "Change of the average", At(Filters(), "", *days)
    )
    row = changes.iloc[0]
    at = At(Filters(), str(row["genre"]), *days)
    movies = answer(sample, "genre", "Movies that made the change", at)
    assert movies["contribution"].sum() == pytest.approx(row["average_change"])
    assert movies["rating_count"].sum() == row["rating_count"]
    assert abs(row["average_change"]) == pytest.approx(movies["_by"].iloc[0])


def test_what_to_watch_next_is_unseen_and_has_its_reason(sample: Settings) -> None:
    serving = Serving(Published(sample))
    (user,) = serving.ask(str(pages()["user"].subject))["subject"]
    at = At(of=str(user))
    next_ones = answer(sample, "user", "What to watch next", at)
    rated = answer(sample, "user", "What the user has rated", at)
    assert len(next_ones) == 10
    assert set(next_ones["movie_id"]).isdisjoint(rated["movie_id"])
    liked = set(rated[rated["rating"] >= 4]["title"])
    assert set(next_ones["because"]) <= liked
    assert next_ones["_score"].is_monotonic_decreasing
    # Its similarity to liked movies, relative to its similarity to all movies.
    best = next_ones.iloc[0]
    alike = serving.ask(
        f"""
            select sum(neighbours.similarity) as all_of_it,
                sum(case when ratings.rating >= 4 then neighbours.similarity end)
                    as liked
            from serving.mart_movie_neighbours as neighbours
            left join serving.fct_ratings as ratings
                on neighbours.movie_id = ratings.movie_id
                and ratings.user_id = {user}
            where neighbours.neighbour_movie_id = {best["movie_id"]}"""
    ).iloc[0]
    assert best["_score"] == pytest.approx(alike["liked"] / alike["all_of_it"] ** 0.5)


def test_every_number_that_a_column_holds_has_a_page() -> None:
    assert At(of=str(2**63 - 1)).id == 2**63 - 1
    for none in (str(2**63), "9" * 5000, "-1", "\u0663", ""):
        assert At(of=none).id == -1


def test_a_period_is_that_of_the_reader_or_the_last_five_years() -> None:
    at = At(first_day=date(1996, 1, 1), last_day=date(2018, 9, 25))
    assert at.period.first_day == date(2013, 9, 26)
    assert at.period.before().first_day == date(2008, 9, 26)
    young = At(first_day=date(2015, 1, 1), last_day=date(2018, 9, 25))
    assert young.period.before().first_day == date(2015, 1, 1)
    assert At(SOME).period == SOME
    one_day = At(first_day=date(2015, 1, 1), last_day=date(2015, 1, 1))
    now, then = one_day.period, one_day.period.before()
    assert (now.first_day, now.last_day) == (date(2015, 1, 1), date(2015, 1, 1))
    assert (then.first_day, then.last_day) == (date(2014, 12, 31), date(2014, 12, 31))


def test_a_page_is_one_file_and_is_read_anew_when_it_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "VIEWS", tmp_path)
    file = tmp_path / "weekdays.py"
    text = (
        '"""Weekdays: on which days people rate."""\n'
        "from reelhouse.dashboard import charts\n"
        "from reelhouse.dashboard.page import *\n"
        "PLACE = 5\n"
        "def blocks(at):\n"
        "    yield Chart('Ratings by genre', 'select genre, rating_count from '\n"
        "        'serving.mart_genre_ratings', charts.bars('genre', 'rating_count'))\n"
    )
    file.write_text(text)
    page = pages()["weekdays"]
    assert (page.title, page.says) == ("Weekdays", "On which days people rate.")
    file.write_text(text.replace("Ratings by genre", "How many in each genre"))
    blocks: list[Block] = pages()["weekdays"].at(At())
    assert [each.title for each in flat(blocks) if isinstance(each, Shown)] == [
        "How many in each genre"
    ]
