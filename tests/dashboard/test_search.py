"""Search: what readers type finds what they mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dashboard.conftest import changed_copy

from reelhouse.dashboard.published import Published
from reelhouse.dashboard.search import find, folded
from reelhouse.settings import Settings

TITLES = (
    "Matrix, The (1999)",
    "Matrix Reloaded, The (2003)",
    "Animatrix, The (2003)",
    "Fabuleux destin d''Amélie Poulain, Le (2001)",
    "Schindler''s List (1993)",
    "Spider-Man (2002)",
    "Å, Øre Ærlig ıstanbul (1950)",
    "It (1990)",
    "Witness (1985)",
    "A (1964)",
    "100% Wolf_ (2020)",
)


@pytest.fixture(scope="module")
def place(sample: Settings, tmp_path_factory: pytest.TempPathFactory) -> Published:
    statements = [
        f"update dim_movies set title = '{title}' where movie_id = "
        f"(select movie_id from dim_movies order by movie_id limit 1 offset {index})"
        for index, title in enumerate(TITLES)
    ]
    version = "update publication set version = 'of search'"
    path = changed_copy(
        sample.published,
        tmp_path_factory.mktemp("search") / "published.duckdb",
        *(version, "update dim_movies set title = 'x'", *statements),
    )
    return Published(replace(sample, warehouse=path.parent))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("the matrix", "Matrix, The (1999)"),
        ("Matrix, The", "Matrix, The (1999)"),
        ("matrix 2003", "Matrix Reloaded, The (2003)"),
        ("reloaded matrix", "Matrix Reloaded, The (2003)"),
        ("amelie", "Fabuleux destin d'Amélie Poulain, Le (2001)"),
        ("AMÉLIE", "Fabuleux destin d'Amélie Poulain, Le (2001)"),
        ("schindlers", "Schindler's List (1993)"),
        ("schindler’s list", "Schindler's List (1993)"),
        ("spiderman", "Spider-Man (2002)"),
        ("spider-man", "Spider-Man (2002)"),
        ("spider man", "Spider-Man (2002)"),
        ("a ore aerlig istanbul", "Å, Øre Ærlig ıstanbul (1950)"),
        ("it", "It (1990)"),
        ("a", "A (1964)"),
        ("100% wolf_", "100% Wolf_ (2020)"),
    ],
)
def test_a_movie_is_found(place: Published, text: str, first: str) -> None:
    found = [each for each in find(place, text) if each.kind == "movie"]
    assert found[0].name == first


@pytest.mark.parametrize(
    ("text", "kind", "of"),
    [
        ("sci fi", "genre", "Sci-Fi"),
        ("DRAMA", "genre", "Drama"),
        ("user 7", "user", "7"),
        ("7", "user", "7"),
        ("small town", "tag", "small town"),
    ],
)
def test_genres_users_and_tags_are_found(
    place: Published, text: str, kind: str, of: str
) -> None:
    found = [each.of for each in find(place, text) if each.kind == kind]
    assert found[0] == of


@pytest.mark.parametrize("text", ["", " ", "'", "no such thing", "user " + "9" * 19])
def test_nothing_is_found_of_nothing(place: Published, text: str) -> None:
    assert find(place, text) == []


@given(st.text())
def test_any_text_can_be_typed(text: str) -> None:
    assert folded(folded(text)) == folded(text)
