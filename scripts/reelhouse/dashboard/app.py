"""The app: pages, filters and the address; Streamlit runs this file."""

from __future__ import annotations

from functools import partial
from html import escape

import pandas as pd
import streamlit as st

from reelhouse.dashboard import questions, screen
from reelhouse.dashboard.filters import MOST_RATINGS, Filters, whole
from reelhouse.dashboard.panels import TITLES, minute
from reelhouse.dashboard.published import (
    Place,
    Published,
    Reading,
    Serving,
    serving_of,
)
from reelhouse.dashboard.screen import Screen
from reelhouse.dashboard.theme import ICON, STYLE
from reelhouse.dashboard.views import PAGES
from reelhouse.errors import ReelhouseError
from reelhouse.settings import read_settings

GENRES, YEARS, RATINGS = "genres", "years", "min_ratings"


def show(place: Place) -> None:
    """The whole app on the published tables of a place."""
    st.set_page_config("Reelhouse", ICON, layout="wide")
    st.html(f"<style>{STYLE}</style>")
    serving = serving_of(place)
    chosen = Screen(serving)
    pages = [
        st.Page(
            partial(shown, chosen),
            title=TITLES[name],
            url_path=name,
            default=not index,
        )
        for index, (name, shown) in enumerate(PAGES.items())
    ]
    page = st.navigation({"Reelhouse": pages})
    try:
        reading = chosen.read(questions.frame(Filters(), questions.Choice()))
        with st.sidebar:
            chosen.filters = _filters(reading)
        _to_address(chosen.filters)
        page.run()
        with st.sidebar:
            _foot(reading)
    except ReelhouseError as error:
        screen.say_empty(str(error))
    _watch(serving, chosen.version, place.watch_seconds)


def _filters(reading: Reading) -> Filters:
    """The filters of the sidebar, which every page shares."""
    genres = reading["genres"]["genre"].tolist()
    years = reading["years"].iloc[0]
    first, last = (
        None if pd.isna(years[name]) else int(years[name])
        for name in ("first_year", "last_year")
    )
    if GENRES not in st.session_state:
        _from_address(genres, first, last)
    state = st.session_state
    # What is published may have changed under a reader's filters.
    state[GENRES] = [genre for genre in state[GENRES] if genre in genres]
    st.multiselect("Genres", genres, key=GENRES, placeholder="All")
    from_year = to_year = None
    if first is not None and last is not None and first < last:
        low, high = state.get(YEARS) or (first, last)
        state[YEARS] = (
            min(max(low, first), last),
            max(min(high, last), first),
        )
        st.slider("Released", first, last, key=YEARS)
        low, high = state[YEARS]
        from_year = low if low > first else None
        to_year = high if high < last else None
    least = st.number_input("Ratings at least", 0, MOST_RATINGS, step=10, key=RATINGS)
    filters = Filters(tuple(state[GENRES]), from_year, to_year, int(least))
    st.button(
        "Clear filters", on_click=_clear, disabled=not filters.are_set, width="stretch"
    )
    return filters


def _from_address(genres: list[str], first: int | None, last: int | None) -> None:
    """Take the filters, and the movie, from the address that was opened."""
    address = {name: st.query_params.get_all(name) for name in st.query_params}
    filters = Filters.from_address(address, genres)
    state = st.session_state
    state[GENRES] = list(filters.genres)
    state[RATINGS] = filters.min_ratings
    if first is not None and last is not None:
        state[YEARS] = (filters.first_year or first, filters.last_year or last)
    state["movie_id"] = whole(address.get("movie"), 0, 2**62)


def _to_address(filters: Filters) -> None:
    address = filters.to_address()
    if st.session_state.get("movie_id") is not None:
        address["movie"] = [str(st.session_state["movie_id"])]
    now = {name: st.query_params.get_all(name) for name in st.query_params}
    if now != address:
        st.query_params.from_dict(address)


def _clear() -> None:
    st.session_state[GENRES] = []
    st.session_state[RATINGS] = 0
    st.session_state[YEARS] = None


def _foot(reading: Reading) -> None:
    st.html(
        f'<p class="rh-foot">Published {minute(reading.published_at)}<br>'
        f"Load {reading.load_id} · publication {escape(reading.version[:8])}</p>"
    )


def _watch(serving: Serving, version: str | None, seconds: float) -> None:
    """Show a new version by itself, soon after it was published."""

    @st.fragment(run_every=seconds)
    def look() -> None:
        try:
            newest = serving.version()
        except ReelhouseError:
            return
        if newest != version:
            st.rerun()

    look()


if __name__ == "__main__":
    show(Published(read_settings()))
