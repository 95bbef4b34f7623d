"""Screen: the parts of Streamlit that every page is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st

from reelhouse.dashboard import markup
from reelhouse.dashboard.charts import themed
from reelhouse.dashboard.filters import Filters
from reelhouse.dashboard.panels import Panel
from reelhouse.dashboard.published import Reading, Serving
from reelhouse.dashboard.questions import Choice, asked, offered
from reelhouse.dashboard.theme import DARK, LIGHT
from reelhouse.serving.csv_export import to_csv

PICKED, SEARCHED = "movie", "movie_search"
# Thousands are parted as the reader's browser does.
WHOLE = "localized"
Named = dict[str, tuple[str, str | None]]


@dataclass
class Screen:
    """One page for one reader: what is filtered, and what was read so far.

    `version` is that of the first read; a page of two versions begins anew.
    """

    serving: Serving
    filters: Filters = field(default_factory=Filters)
    version: str | None = None

    def read(self, questions: dict[str, str]) -> Reading:
        reading = self.serving.read(questions)
        if self.version not in (None, reading.version):
            st.rerun()
        self.version = reading.version
        return reading

    def read_page(self, page: str, choice: Choice | None = None) -> Reading:
        return self.read(asked(page, self.filters, choice))

    def pick_movie(self) -> Choice:
        """Let the reader pick a movie; the most rated one of those meant until then."""
        text = st.session_state.get(SEARCHED, "").strip()
        movie_id = st.session_state.get("movie_id")
        questions = offered(self.filters, Choice(movie_id, text))
        movies = self.read(questions)["offered"]
        titles = dict(zip(movies["movie_id"].tolist(), movies["title"], strict=True))
        counts = dict(
            zip(movies["movie_id"].tolist(), movies["rating_count"], strict=True)
        )
        if movie_id not in titles:
            movie_id = next(iter(titles), None)
        st.session_state[PICKED] = movie_id
        left, right = st.columns([2, 3])
        left.text_input("Find a title", key=SEARCHED, placeholder="any part of a title")
        right.selectbox(
            "Movie",
            list(titles),
            key=PICKED,
            format_func=lambda each: f"{titles[each]} · {_ratings(counts[each])}",
            on_change=_keep_movie,
            disabled=not titles,
        )
        if not titles:
            say_empty("No movie has this in its title and fits the filters.")
        return Choice(movie_id, text)


def _keep_movie() -> None:
    st.session_state["movie_id"] = st.session_state[PICKED]


def _ratings(count: Any) -> str:
    number = 0 if pd.isna(count) else int(count)
    return f"{number:,} rating{'' if number == 1 else 's'}"


def html(text: str) -> None:
    st.html(text)


def say_empty(why: str) -> None:
    html(markup.empty(why))


def head(title: str, says: str, filters: Filters) -> None:
    """The heading of a page, with the filters that act on it."""
    described = filters.described()
    html(markup.head(title, f"{says} Filtered: {described}." if described else says))


def draw(panel: Panel) -> None:
    """A panel: its heading, its line, and its chart in the reader's colours."""
    html(markup.titled(panel.title, panel.says))
    if panel.chart is None:
        say_empty(panel.empty)
        return
    chart = themed(panel.chart, DARK if is_dark() else LIGHT)
    st.altair_chart(chart, theme=None, width="stretch")


def side_by_side(*panels: Panel) -> None:
    for column, panel in zip(st.columns(len(panels), gap="large"), panels, strict=True):
        with column:
            draw(panel)


def is_dark() -> bool:
    return bool(st.context.theme.type == "dark")


def table(
    frame: pd.DataFrame, columns: Named, name: str, why_empty: str, height: int = 320
) -> None:
    """A table to sort, and to take away as CSV.

    `columns` are the shown ones: what each is called, and its format, or None.
    """
    if frame.empty:
        say_empty(why_empty)
        return
    shown = frame[list(columns)]
    st.dataframe(
        shown,
        hide_index=True,
        width="stretch",
        height=min(height, 36 * (len(shown) + 1)),
        column_config={
            column: _column(frame[column], title, number)
            for column, (title, number) in columns.items()
        },
    )
    titles = [title for title, _ in columns.values()]
    st.download_button(
        "Download as CSV",
        to_csv(titles, _plain(shown)),
        file_name=f"reelhouse-{name}.csv",
        mime="text/csv",
        key=f"csv-{name}",
    )


def _column(values: pd.Series[Any], title: str, number: str | None) -> Any:
    if pd.api.types.is_datetime64_any_dtype(values):
        return st.column_config.DatetimeColumn(
            title, format=number or "YYYY-MM-DD HH:mm", timezone="UTC"
        )
    if pd.api.types.is_bool_dtype(values):
        return st.column_config.CheckboxColumn(title)
    if pd.api.types.is_numeric_dtype(values):
        return st.column_config.NumberColumn(title, format=number)
    return st.column_config.TextColumn(title)


def _plain(frame: pd.DataFrame) -> list[list[object]]:
    """Rows as Python's own values: moments of UTC as text, None where there is none."""
    return [
        [_plain_value(value) for value in row] for row in frame.itertuples(index=False)
    ]


def _plain_value(value: Any) -> object:
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return value
