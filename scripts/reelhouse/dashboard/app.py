"""The app: pages, search, filters and the address; Streamlit runs this file."""

from __future__ import annotations

import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from html import escape
from inspect import signature
from typing import Any

import pandas as pd
import streamlit as st

from reelhouse.dashboard import markup, search
from reelhouse.dashboard.charts import themed
from reelhouse.dashboard.columns import called, dated, named, written
from reelhouse.dashboard.filters import MOST_RATINGS, Filters
from reelhouse.dashboard.page import (
    BOUNDS,
    SUBJECTS,
    At,
    Frame,
    Page,
    Section,
    Shown,
    Single,
    Stale,
    newest_change,
    pages,
    questions,
    tidy,
)
from reelhouse.dashboard.published import (
    Place,
    Preview,
    Published,
    Reading,
    Serving,
    serving_of,
)
from reelhouse.dashboard.theme import DARK, ICON, LIGHT, STYLE
from reelhouse.errors import ReelhouseError
from reelhouse.serving.csv_export import to_csv
from reelhouse.settings import read_settings

GENRES, YEARS, RATINGS, PERIOD, DAYS = "genres", "years", "least", "period", "days"
EVER, OWN = "at any time", "between two days"
PERIODS = {"in the last year": 365, "in the last five years": 5 * 365 + 1}
SEARCHED, GOING = "search", "going"
# The place of the first page about one movie, genre, tag or user.
SUBJECTS_FROM = 100
GENRE_NAMES = "select genre from serving.dim_genres order by genre"
UNHEARD = {
    "genres": "genres",
    "released": "release years",
    "ratings": "the minimum number of ratings",
    "rated": "rating days",
}


class App:
    """One run of the app for one reader, with data of one version."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.serving: Serving = serving_of(place)
        self.version: str | None = None
        self.pages = pages()
        self.shown: dict[str, Any] = {}

    def read(self, asked: Collection[str]) -> Reading:
        reading = self.serving.read(asked)
        if self.version not in (None, reading.version):
            st.rerun()
        self.version = reading.version
        return reading

    def run(self) -> None:
        self.shown = {
            name: st.Page(
                partial(self.page, page),
                title=page.title,
                url_path=name,
                default=not index,
            )
            for index, (name, page) in enumerate(self.pages.items())
        }
        chosen = st.navigation(list(self.shown.values()), position="hidden")
        try:
            chosen.run()
        except ReelhouseError as error:
            say_empty(str(error))
        self._watch()

    def _menu(self, here: Page, at: At) -> None:
        """Show links to the pages, each with the filters that its page offers."""
        if isinstance(self.place, Preview):
            st.warning("A preview of what is built, which may not be published.")
        for name, page in self.pages.items():
            if page.place == SUBJECTS_FROM:
                st.caption("Look up")
            address = at.filters.only(page.filters).to_address()
            label = f"**{page.title}**" if page is here else page.title
            st.page_link(self.shown[name], label=label, **_given(address))

    def page(self, page: Page) -> None:
        reading = self.read([GENRE_NAMES, BOUNDS])
        bounds, genres = reading[BOUNDS].iloc[0], reading[GENRE_NAMES]["genre"].tolist()
        at = self._address(page, genres).within(bounds)
        with st.sidebar:
            menu = st.container()
            at = self._filters(page, at, genres, bounds)
        with menu:
            self._menu(page, at)
        self._to_address(page, at)
        self._search()
        if page.subject and not at.of:
            found = self.read([page.subject])[page.subject]
            of = "" if found.empty else str(found.iloc[0]["subject"])
            at = replace(at, of=of)
        said = at.filters.only(page.filters).described()
        says = f"{page.says} Filtered: {said}." if said else page.says
        st.html(markup.head(page.title, says))
        if page.subject and not at.of:
            say_empty(f"The data has no {page.name}s.")
        else:
            self._blocks(page, at)
        with st.sidebar:
            st.html(
                f'<p class="rh-foot">Published {reading.published_at:%Y-%m-%d %H:%M} '
                f"UTC<br>Load {reading.load_id} · publication "
                f"{escape(reading.version[:8])}</p>"
            )

    def _blocks(self, page: Page, at: At) -> None:
        shown, unheard = page.at(at), page.unheard(at)
        reading = self.read(questions(shown))
        is_filtered = at.filters.only(page.filters).set
        self.hint = " The filters may be the reason." if is_filtered else ""
        for block in shown:
            if isinstance(block, list):
                for place, each in zip(st.columns(len(block)), block, strict=True):
                    with place:
                        self._block(each, reading, unheard)
            else:
                self._block(block, reading, unheard)
            asks = isinstance(block, Section) and tidy(block.sql)
            if asks and reading[asks].empty:
                break

    def _block(
        self, block: Single, reading: Reading, unheard: dict[str, list[str]]
    ) -> None:
        sql = tidy(block.sql)
        kinds = unheard.get(sql, [])
        names = [words for kind, words in UNHEARD.items() if kind in kinds]
        note = f"Not filtered by {' or '.join(names)}." if names else ""
        frame = reading[sql] if sql else pd.DataFrame()
        if made := markup.block(block, frame, note, with_links=True):
            st.html(made)
        if isinstance(block, Stale):
            self._stale(block)
        elif isinstance(block, Shown):
            self._shown(block, sql, block.picked(frame))

    def _shown(self, block: Shown, sql: str, rows: Frame) -> None:
        if rows.empty:
            say_empty(block.empty + self.hint)
            return
        if block.draw:
            palette = DARK if st.context.theme.type == "dark" else LIGHT
            chart = themed(block.draw(rows), palette)
            st.altair_chart(chart, theme=None, width="stretch")
        else:
            self._table(block, rows)
        self._how(block, sql, rows)

    def _stale(self, block: Stale) -> None:
        with st.spinner("Comparing the tree with what is built …"):
            stale = self.place.stale()
        if stale is None:
            say_empty("This cannot be checked here: run `reelhouse status`.")
        elif not stale:
            say_empty("Nothing is out of date.")
        else:
            rows = pd.DataFrame(stale.items(), columns=["node", "reason"])
            self._table(block, rows)

    def _table(self, block: Shown, rows: Frame) -> None:
        names = named(rows)
        texts = dated(rows[names], "%Y-%m-%d %H:%M")
        words = texts.select_dtypes(exclude=["number", "bool", "datetime"])
        picked: Any = st.dataframe(
            texts.fillna(dict.fromkeys(words, "")),
            hide_index=True,
            width="stretch",
            height=min(420, 36 * (len(rows) + 1)),
            column_config={name: _column(rows, name) for name in names},
            on_select="rerun" if block.to else "ignore",
            selection_mode="single-row",
            key=f"table-{block.key}",
        )
        if block.to and picked["selection"]["rows"]:
            row = picked["selection"]["rows"][0]
            self._go(block.to, str(rows[SUBJECTS[block.to]].iloc[row]))

    def _how(self, block: Shown, sql: str, rows: Frame) -> None:
        """Show the query and the definitions, and offer the rows as CSV."""
        names = named(rows)
        plain = dated(rows[names], "%Y-%m-%d %H:%M:%S").astype(object)
        plain = plain.where(plain.notna(), None)
        with st.expander("Query, definitions, CSV"):
            st.code(sql, language="sql")
            for metric in markup.definitions(rows):
                st.text(f"{metric.label}: {metric.description}")
            st.download_button(
                "Download as CSV",
                to_csv([called(name) for name in names], plain.to_numpy().tolist()),
                file_name=f"reelhouse-{block.key}.csv",
                mime="text/csv",
                key=f"csv-{block.key}",
            )

    def _search(self) -> None:
        """Show the search field, and the results below it."""
        text = st.text_input(
            "Search",
            key=SEARCHED,
            placeholder="Search: a movie, a genre, a tag, or user 42",
            label_visibility="collapsed",
        ).strip()
        found = search.find(self.place, text) if text else []
        if text and not found:
            say_empty("No name contains all of these words.")
        for each in found:
            uses = "use" if each.kind == "tag" else "rating"
            label = f"{each.name} — {each.kind}, {each.number:,} {uses}"
            label += "" if each.number == 1 else "s"
            key = f"to-{each.kind}-{each.of}"
            if st.button(_as_text(label), key=key, type="tertiary"):
                self._go(each.kind, each.of)

    def _go(self, page: str, of: str) -> None:
        st.session_state[GOING] = of
        filters: Filters = st.session_state["filters"].only(self.pages[page].filters)
        address = {"of": [of]} | filters.to_address()
        st.switch_page(self.shown[page], **_given(address))

    def _address(self, page: Page, genres: list[str]) -> At:
        """Return what to show: by the address, unless the app itself has set that.

        A page that is opened without parameters in its address keeps the filters.
        """
        state = st.session_state
        address = {name: st.query_params.get_all(name) for name in st.query_params}
        kept: Filters | None = state.get("filters")
        of = (address.get("of") or [""])[-1]
        if GOING in state:
            of = state.pop(GOING)
            state[SEARCHED] = ""
        elif address != state.get("address") and (
            address or page.name == state.get("page")
        ):
            read = Filters.from_address(address, genres)
            kept = (kept or Filters()).taking(page.filters, read)
            self._forget()
        kept = kept or Filters()
        # The published genres may have changed since the reader set the filters.
        known = tuple(genre for genre in kept.genres if genre in genres)
        return At(replace(kept, genres=known), of)

    def _to_address(self, page: Page, at: At) -> None:
        address = at.filters.only(page.filters).to_address()
        if at.of and page.subject:
            address = {"of": [at.of]} | address
        now = {name: st.query_params.get_all(name) for name in st.query_params}
        if now != address:
            st.query_params.from_dict(address)
        st.session_state["address"] = address
        st.session_state["filters"] = at.filters
        st.session_state["page"] = page.name

    def _forget(self) -> None:
        """Clear the fields of the filters, so that they take new values."""
        for name in (GENRES, YEARS, RATINGS, PERIOD, DAYS):
            st.session_state.pop(name, None)

    def _filters(self, page: Page, at: At, names: list[str], bounds: Any) -> At:
        """Show the filters that the page offers; the others stay as they are."""
        state, now, offered = st.session_state, at.filters, page.filters
        if "genres" in offered:
            picked = state.get(GENRES, now.genres)
            state[GENRES] = [genre for genre in picked if genre in names]
            st.multiselect("Genres", names, key=GENRES, placeholder="All")
            now = replace(now, genres=tuple(state[GENRES]))
        if "released" in offered:
            now = self._years(now, bounds)
        if "ratings" in offered:
            # A field keeps its value from another page only if that is set here.
            state[RATINGS] = state.get(RATINGS, now.min_ratings)
            label = "Ratings per movie, at least"
            fewest = st.number_input(label, 0, MOST_RATINGS, step=10, key=RATINGS)
            now = replace(now, min_ratings=int(fewest))
        if "rated" in offered:
            first_day, last_day = _days(at)
            now = replace(now, first_day=first_day, last_day=last_day)
        if offered:
            st.button(
                "Clear filters",
                on_click=self._clear,
                disabled=not now.only(offered).set,
                width="stretch",
            )
        return replace(at, filters=now)

    def _years(self, now: Filters, bounds: Any) -> Filters:
        if pd.isna(bounds["first_year"]):
            return now
        first, last = int(bounds["first_year"]), int(bounds["last_year"])
        if first == last:
            return now
        usual = (now.first_year or first, now.last_year or last)
        # The published years may have changed since the reader set the filters.
        low, high = st.session_state.get(YEARS) or usual
        # Ignore chosen years that lie outside the published ones.
        is_choice = low <= last and high >= first
        low, high = (max(low, first), min(high, last)) if is_choice else (first, last)
        st.session_state[YEARS] = low, high
        st.slider("Released", first, last, key=YEARS)
        low, high = st.session_state[YEARS]
        return replace(
            now,
            first_year=low if low > first else None,
            last_year=high if high < last else None,
        )

    def _clear(self) -> None:
        self._forget()
        st.session_state["filters"] = Filters()

    def _watch(self) -> None:
        """Run the app again when a version is published or a page's file is saved."""
        version, changed = self.version, newest_change()

        @st.fragment(run_every=self.place.pace.watch)
        def look() -> None:
            with suppress(ReelhouseError):
                if newest_change() != changed or self.serving.version() != version:
                    st.rerun()

        look()


def _given(address: dict[str, list[str]]) -> dict[str, Any]:
    """Return arguments with an address to go to; Streamlit accepts it from 1.52 on."""
    takes = "query_params" in signature(st.switch_page).parameters
    return {"query_params": address} if takes else {}


def _days(at: At) -> tuple[date | None, date | None]:
    """Show the filter of rating days: a named period, or a first and a last day."""
    state, now = st.session_state, at.filters

    def since(days: int) -> date:
        return at.last_day - timedelta(days=days - 1)

    usual = EVER if now.first_day is None else OWN
    if now.first_day and now.last_day == at.last_day:
        lengths = {since(days): name for name, days in PERIODS.items()}
        usual = lengths.get(now.first_day, OWN)
    state[PERIOD] = state.get(PERIOD, usual)
    picked = st.selectbox("Rated", [EVER, *PERIODS, OWN], key=PERIOD)
    if picked == EVER:
        return None, None
    if picked in PERIODS:
        return since(PERIODS[picked]), at.last_day
    whole = (now.first_day or at.first_day, now.last_day or at.last_day)
    state[DAYS] = state.get(DAYS, whole)
    days = st.date_input(
        "Rating days",
        # The address may contain days that are not in the data.
        min_value=min(date(1970, 1, 1), *state[DAYS]),
        max_value=max(at.last_day, *state[DAYS]),
        key=DAYS,
        format="YYYY-MM-DD",
    )
    # Until the second day is picked, the former days stay set.
    if isinstance(days, tuple) and len(days) == 2:
        return days
    return now.first_day, now.last_day


def say_empty(why: str) -> None:
    st.html(markup.empty(why))


def _as_text(label: str) -> str:
    """Escape a text so that Streamlit's Markdown shows it as it is."""
    return "".join(f"\\{each}" if each in MARKS else each for each in label)


MARKS = "\\`*_{}[]()<>#+-.!|~$:^=&"


def _column(rows: Frame, name: str) -> Any:
    title, form = called(name), written(name, rows)
    if pd.api.types.is_bool_dtype(rows[name]):
        return st.column_config.CheckboxColumn(title)
    if not form:
        return st.column_config.TextColumn(title)
    # The reader's browser chooses the separator of thousands.
    number = "localized" if form == "," else "percent" if "%" in form else f"%{form}"
    return st.column_config.NumberColumn(title, format=number)


def show(place: Place) -> None:
    """Show the whole app, with the published tables of a place."""
    st.set_page_config("Reelhouse", ICON, layout="wide")
    st.html(f"<style>{STYLE}</style>")
    App(place).run()


if __name__ == "__main__":
    seen = Preview if "--preview" in sys.argv else Published
    show(seen(read_settings()))
