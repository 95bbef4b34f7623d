"""Catalogue: movies, genres, years, and one movie with all that is known of it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from reelhouse.dashboard import markup, panels
from reelhouse.dashboard.published import Reading
from reelhouse.dashboard.questions import LISTED_MOVIES, movie
from reelhouse.dashboard.screen import (
    WHOLE,
    Screen,
    draw,
    head,
    html,
    say_empty,
    side_by_side,
    table,
)


def show(screen: Screen) -> None:
    reading = screen.read_page("catalogue")
    head("Catalogue", "How the movies are rated, and how often.", screen.filters)
    shown = panels.catalogue(reading, screen.filters)
    side_by_side(shown["best"], shown["most_rated"])
    draw(shown["quality"])
    with st.expander("The movies as a table"):
        table(
            reading["titles"],
            {
                "title": ("Title", None),
                "release_year": ("Released", "%d"),
                "genres": ("Genres", None),
                "rating_count": ("Ratings", WHOLE),
                "average_rating": ("Average (stars)", "%.3f"),
                "bayesian_rating": ("Bayesian (stars)", "%.3f"),
                "rating_stddev": ("Standard deviation (stars)", "%.3f"),
            },
            "movies",
            panels.NO_MOVIE,
            height=420,
        )
        if len(reading["titles"]) == LISTED_MOVIES:
            html(markup.titled("", f"The {LISTED_MOVIES:,} most rated movies."))
    html(markup.section("Genres"))
    side_by_side(shown["genres"], shown["genre_sizes"])
    html(markup.section("Years and stars"))
    side_by_side(shown["released"], shown["release_ratings"])
    draw(shown["distribution"])
    html(markup.section("One movie"))
    choice = screen.pick_movie()
    if choice.movie_id is not None:
        _movie(screen.read(movie(screen.filters, choice)))


def _movie(reading: Reading) -> None:
    if reading["movie"].empty:
        say_empty("There is no such movie any more.")
        return
    found = reading["movie"].iloc[0]
    html(markup.section(_text(found["title"]) or "A movie without a title"))
    html(
        markup.facts(
            {
                "released": _whole(found["release_year"]),
                "genres": _text(found["genres"]).replace("|", ", "),
                "ratings": panels.whole(found["rating_count"]),
                "average": _stars(found["average_rating"]),
                "Bayesian": _stars(found["bayesian_rating"]),
                "first rated": panels.day(found["first_rated_at"]),
                "last rated": panels.day(found["last_rated_at"]),
            }
        )
    )
    links = [
        markup.link(_text(found[column]), words)
        for column, words in (("imdb_url", "IMDb"), ("tmdb_url", "TMDB"))
    ]
    html(f'<p class="rh-facts">{" · ".join(link for link in links if link)}&nbsp;</p>')
    shown = panels.movie(reading)
    side_by_side(shown["years"], shown["year_averages"])
    side_by_side(shown["profile"], shown["user_tags"])
    draw(shown["neighbours"])
    html(
        markup.titled(
            "History", "Every title and every list of genres that a load brought."
        )
    )
    table(
        reading["movie_history"].assign(
            valid_to=lambda frame: [
                "open" if pd.isna(moment) else f"{moment:%Y-%m-%d %H:%M}"
                for moment in frame["valid_to"]
            ]
        ),
        {
            "version_number": ("Version", "%d"),
            "title": ("Title", None),
            "genres": ("Genres", None),
            "valid_from": ("Valid from (UTC)", None),
            "valid_to": ("Valid to (UTC)", None),
            "is_deleted": ("Deleted", None),
        },
        "movie-history",
        "No load brought this movie itself: it is known by its ratings or tags alone.",
    )


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value)


def _whole(value: object) -> str:
    return "" if pd.isna(value) else str(value)


def _stars(value: object) -> str:
    return "" if pd.isna(value) else f"{value:.2f} ★"
