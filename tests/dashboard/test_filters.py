"""Filters: in the address, in words, and in SQL of both engines."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from reelhouse.dashboard.filters import KINDS, Filters, literal
from reelhouse.dashboard.published import Published, Serving
from reelhouse.settings import Settings

KNOWN = ["Drama", "Sci-Fi", "it's \\ a genre"]
DAYS = (date(2001, 1, 1), date(2001, 12, 31))
ALL = Filters(("Drama", "it's \\ a genre"), 1990, 2001, 20, *DAYS)


@pytest.mark.parametrize("filters", [Filters(), ALL, Filters(last_year=1950)])
def test_an_address_leads_back_to_its_filters(filters: Filters) -> None:
    assert Filters.from_address(filters.to_address(), KNOWN) == filters


@pytest.mark.parametrize(
    "address",
    [
        {"genre": ["'; drop table x; --"]},
        {"from": ["1990 or true"]},
        {"from": ["-5"], "to": ["99999"]},
        {"from": ["2100"], "to": ["1900"]},
        {"ratings": ["1e9"]},
        {"ratings": ["9" * 40]},
        {"ratings": ["٣"]},
        {"since": ["2001-01-01"]},
        {"since": ["2001-01-02"], "until": ["2001-01-01"]},
        {"since": ["' or true"], "until": ["2001-01-01"]},
        {"since": ["0001-01-01"], "until": ["2001-01-01"]},
        {"other": ["1"]},
    ],
)
def test_what_makes_no_sense_in_an_address_filters_nothing(
    address: dict[str, list[str]],
) -> None:
    assert Filters.from_address(address, KNOWN) == Filters()


def test_filters_are_told_in_words() -> None:
    assert ALL.described() == (
        "Drama or it's \\ a genre, released from 1990 up to 2001, movies with at least "
        "20 ratings, rated from 2001-01-01 to 2001-12-31"
    )
    assert Filters(first_year=1990).described() == "released from 1990"
    assert Filters(last_year=1990).described() == "released up to 1990"
    assert Filters().described() == ""


def test_the_period_before_is_as_long_and_ends_where_this_one_begins() -> None:
    before = ALL.before()
    assert (before.first_day, before.last_day) == (date(2000, 1, 2), date(2000, 12, 31))
    assert before.only(["genres", "released", "ratings"]) == ALL.without("rated")


def test_each_kind_can_be_taken_away_alone() -> None:
    assert ALL.set == tuple(KINDS)
    for kind in KINDS:
        assert ALL.without(kind).set == tuple(each for each in KINDS if each != kind)
        assert ALL.only([kind]).set == (kind,)


def test_several_filters_leave_what_each_of_them_leaves(sample: Settings) -> None:
    serving = Serving(Published(sample))

    def left(filters: Filters) -> set[int]:
        where = filters.movies("movies.movie_id")
        asked = f"select movie_id from serving.dim_movies as movies where {where}"
        return set(serving.ask(asked)["movie_id"])

    some = Filters(("Drama", "War"), 1990, 2001, 20)
    each = [left(some.only([kind])) for kind in some.set]
    assert left(some) == set.intersection(*each)
    assert 0 < len(left(some)) < min(map(len, each)) < len(left(Filters()))


@hypothesis(deadline=None, max_examples=30)
@given(st.text(st.characters(exclude_characters="\x00", codec="utf-8")))
def test_a_text_means_itself_in_sql(text: str) -> None:
    assert duckdb.execute(f"select {literal(text)}").fetchall() == [(text,)]
    # Snowflake takes a backslash for the start of an escape.
    for part in literal(text).split("chr(92)"):
        assert "\\" not in part
