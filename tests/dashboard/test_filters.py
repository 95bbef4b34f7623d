"""Filters: in the address, in words, and in SQL of both engines."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from reelhouse.dashboard.filters import Filters, literal
from reelhouse.dashboard.questions import PAGES, Choice, asked, tables_read

KNOWN = ["Drama", "Sci-Fi", "it's \\ a genre"]
ALL = Filters(("Drama", "it's \\ a genre"), 1990, 2001, 20)


@pytest.mark.parametrize("filters", [Filters(), ALL, Filters(last_year=1950)])
def test_an_address_leads_back_to_its_filters(filters: Filters) -> None:
    assert Filters.from_address(filters.to_address(), KNOWN) == filters


@pytest.mark.parametrize(
    "address",
    [
        {"genre": ["'; drop table x; --"]},
        {"from": ["1990 or true"]},
        {"from": ["-5"], "to": ["99999"]},
        {"ratings": ["1e9"]},
        {"ratings": ["9" * 40]},
        {"ratings": ["٣"]},
        {"other": ["1"]},
    ],
)
def test_what_makes_no_sense_in_an_address_filters_nothing(
    address: dict[str, list[str]],
) -> None:
    assert Filters.from_address(address, KNOWN) == Filters()


def test_filters_are_told_in_words() -> None:
    words = "Drama or it's \\ a genre, released 1990 to 2001, at least 20 ratings"
    assert ALL.described() == words
    assert Filters(first_year=1990).described() == "released from 1990"
    assert Filters(last_year=1990).described() == "released up to 1990"
    assert Filters().described() == ""


@given(st.text(st.characters(exclude_characters="\x00", codec="utf-8")))
def test_a_text_means_itself_in_sql(text: str) -> None:
    assert duckdb.execute(f"select {literal(text)}").fetchall() == [(text,)]
    # The other engine takes a backslash for the start of something else.
    for part in literal(text).split("chr(92)"):
        assert "\\" not in part


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("filters", [Filters(), ALL], ids=["all", "filtered"])
def test_questions_are_selects_of_both_engines(page: str, filters: Filters) -> None:
    for sql in asked(page, filters, Choice(1, "100% _!'")).values():
        for dialect in ("duckdb", "snowflake"):
            (statement,) = sqlglot.parse(sql, dialect=dialect)
            assert isinstance(statement, sqlglot.exp.Query), sql


@pytest.mark.parametrize("page", PAGES)
def test_a_page_reads_serving_alone(page: str) -> None:
    read = tables_read(page)
    assert {"dim_genres", "dim_movies"} <= read
    for filters in (Filters(), ALL):
        for sql in asked(page, filters, Choice(1, "a")).values():
            (statement,) = sqlglot.parse(sql, dialect="duckdb")
            assert statement
            named = {cte.alias for cte in statement.find_all(sqlglot.exp.CTE)}
            tables = [
                table
                for table in statement.find_all(sqlglot.exp.Table)
                if table.name not in named
            ]
            assert {table.db for table in tables} == {"serving"}
            assert {table.name for table in tables} <= read
