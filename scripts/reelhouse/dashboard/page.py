"""Page: the classes and functions that pages use, and how their files are found.

A page is one file in `views`. Its first line has the title and what the page is about;
`blocks` yields its blocks from top to bottom, each with the SQL that it shows. App and
report draw the same blocks. A file also defines PLACE, and may define the others:

    PLACE     the position of the page among the others
    FILTERS   the filters that it offers, out of filters.KINDS
    SUBJECT   for a page about one movie, genre, tag or user: SQL that returns the one
              to show until the reader picks another, in a column `subject`
"""

from __future__ import annotations

import runpy
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import pandas as pd

from reelhouse.dashboard.charts import (
    HREF,
    Draw,
    bars,
    columns,
    dots,
    heat,
    lines,
    spanned,
)
from reelhouse.dashboard.filters import ONE_DAY, Filters, literal, whole
from reelhouse.serving.metrics import metrics

# What the files of pages import: `from reelhouse.dashboard.page import *`.
__all__ = ["ENOUGH", "LISTED", "LISTED_MOVIES", "At", "Block", "Iterator", "Pick"]
__all__ += ["Chart", "Facts", "Figures", "Says", "Section", "Stale", "Table", "Verdict"]
__all__ += ["bars", "columns", "dots", "heat", "lines", "spanned"]
__all__ += ["by_year", "first", "last", "least", "measured", "most"]
VIEWS = Path(__file__).with_name("views")
# The most movies, and the most tags or users, that are sent to a browser.
LISTED_MOVIES = 2_000
LISTED = 500
# The least number of ratings that a sentence may be about.
ENOUGH = 30
FIVE_YEARS = timedelta(days=5 * 365 + 1)
# The pages about one movie, genre, tag or user, and the column that identifies it.
SUBJECTS = {"movie": "movie_id", "genre": "genre", "tag": "tag", "user": "user_id"}

# The totals and limits of the data, for filters and for texts.
BOUNDS = """
    select
        count(*) as movies,
        min(release_year) as first_year,
        max(release_year) as last_year,
        (select count(*) from serving.fct_ratings) as ratings,
        (select min(rated_date) from serving.fct_ratings) as first_day,
        (select max(rated_date) from serving.fct_ratings) as last_day
    from serving.dim_movies
    where not is_deleted and not is_inferred"""

Frame: TypeAlias = pd.DataFrame
Pick = Callable[[Frame], Any]


def first(frame: Frame) -> Any:
    return frame.iloc[0]


def last(frame: Frame) -> Any:
    return frame.iloc[-1]


def most(column: str) -> Pick:
    """The row with the greatest value of a column, the first of several."""
    return lambda frame: frame.loc[frame[column].astype("Float64").idxmax()]


def least(column: str) -> Pick:
    return lambda frame: frame.loc[frame[column].astype("Float64").idxmin()]


@dataclass(frozen=True)
class Section:
    """A heading, with an explanation of what follows.

    With `sql`, the title may name columns as in Says; if there is no row, the page
    ends there.
    """

    title: str
    says: str = ""
    sql: str = ""


@dataclass(frozen=True)
class Says:
    """A sentence made from an answer; `see` is the title of the chart that shows it.

    `words` name columns of the first row, or of the rows that `rows` picks, as in
    `{best.title}`. `**x**` is bold, `[x](movie {movie_id})` links to a page. Rows with
    less than `enough` in the column `counted` are ignored. There is no sentence if a
    value is missing, or if fewer rows are left than `rows` picks.
    """

    words: str
    sql: str
    see: str = ""
    counted: str = "rating_count"
    enough: int = ENOUGH
    rows: Mapping[str, Pick] = field(default_factory=dict)

    def told(self, frame: Frame) -> Mapping[str, Any] | None:
        """Return the values for `words`, or None if there is nothing to say."""
        if frame.empty:
            return None
        if self.counted and self.counted in frame:
            frame = frame[frame[self.counted].fillna(0) >= self.enough]
        if len(frame) < max(len(self.rows), 1):
            return None
        # As objects, so that whole numbers in a row with floats stay whole.
        frame = frame.astype(object)
        picked = {name: pick(frame) for name, pick in self.rows.items()}
        if any(row is None for row in picked.values()):
            return None
        return dict(frame.iloc[0]) | picked


@dataclass(frozen=True)
class Facts(Says):
    """One line of values, separated by ` · `; a part without its value is left out."""


@dataclass(frozen=True)
class Verdict(Says):
    """One line, green or red by the column `is_well` of the answer."""


@dataclass(frozen=True)
class Figures:
    """Numbers with their names, each with a second line of text.

    `shown` maps a name to words as in Says ('' if it is a metric's) and that line.
    """

    sql: str
    shown: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Shown:
    """A heading, a line that explains it, and a chart or table of an answer.

    `to` is the page that a mark or a row links to; `rows` picks the rows to show.
    """

    title: str
    sql: str = ""
    draw: Draw | None = None
    says: str = ""
    _: KW_ONLY
    empty: str = "There is nothing to show here."
    to: str = ""
    rows: Callable[[Frame], Frame] | None = None

    @property
    def key(self) -> str:
        return slug(self.title)

    def picked(self, frame: Frame) -> Frame:
        """Return the rows to show, with the address that each links to."""
        rows = self.rows(frame) if self.rows and not frame.empty else frame
        if self.to and not rows.empty:
            known = [address(self.to, of) for of in rows[SUBJECTS[self.to]]]
            rows = rows.assign(**{HREF: known})
        return rows


# A chart has a `draw`, a table has none.
Chart = Table = Shown


class Stale(Shown):
    """A table of what is out of date by the ledger, which is not published."""


Single = Section | Says | Figures | Shown
# The blocks of a list are shown side by side, if there is room.
Block = Single | list[Shown]


@dataclass(frozen=True)
class At:
    """What a reader looks at: filters, the subject of the page, the data's days."""

    filters: Filters = field(default_factory=Filters)
    of: str = ""
    first_day: date = date(1995, 1, 1)
    last_day: date = date(2020, 1, 1)

    def within(self, bounds: Any) -> At:
        """Return a copy with the data's days from an answer to BOUNDS."""
        days = {name: bounds[name] for name in ("first_day", "last_day")}
        if any(map(pd.isna, days.values())):
            return self
        return replace(self, **{name: day.date() for name, day in days.items()})

    @property
    def id(self) -> int:
        """The id of the movie or user of the page; -1 if it is not a number."""
        found = whole([self.of], 0, 2**63 - 1)
        return -1 if found is None else found

    @property
    def name(self) -> str:
        """The genre or tag of the page, as an SQL literal."""
        return literal(self.of)

    @property
    def period(self) -> Filters:
        """The filters with a period: that of the reader, or the last five years.

        If the data has less than ten years, it is the later half of its days.
        """
        if self.filters.first_day:
            return self.filters
        half = (self.last_day - self.first_day + ONE_DAY) // 2
        start = self.last_day - max(min(FIVE_YEARS, half), ONE_DAY) + ONE_DAY
        return replace(self.filters, first_day=start, last_day=self.last_day)

    @property
    def periods(self) -> str:
        """The period and the one before it, in words."""
        now, then = self.period, self.period.before()
        return (
            f"{now.first_day} to {now.last_day}, against {then.first_day} to "
            f"{then.last_day}"
        )

    def movie_ratings(self) -> str:
        """A select of the filtered ratings by movie: rating_count and rating_sum."""
        if self.filters.first_day is None:
            return f"""
                select movie_id, rating_count,
                    average_rating * rating_count as rating_sum
                from serving.mart_movie_performance
                where {self.filters.movies()}"""
        return f"""
                select *
                from (
                    select movie_id, count(*) as rating_count,
                        cast(sum(rating) as double) as rating_sum
                    from serving.fct_ratings
                    where {self.filters.only(["rated"]).ratings()}
                    group by movie_id
                ) as every
                where {self.filters.movies()}"""

    def two_periods(self) -> str:
        """A select of ratings by movie, in the period and in the one before it."""
        start, end = self.period.first_day, self.period.last_day
        then = self.period.before().first_day
        return f"""
                select movie_id,
                    sum(case when is_now then ratings else 0 end) as count_now,
                    sum(case when is_now then stars else 0 end) as sum_now,
                    sum(case when is_now then 0 else ratings end) as count_before,
                    sum(case when is_now then 0 else stars end) as sum_before
                from (
                    select movie_id, rated_date >= date '{start}' as is_now,
                        count(*) as ratings, sum(rating) as stars
                    from serving.fct_ratings
                    where rated_date between date '{then}' and date '{end}'
                    group by movie_id, rated_date >= date '{start}'
                ) as every
                where {self.filters.movies()}
                group by movie_id"""


@dataclass(frozen=True)
class Page:
    """A page: its name in the address, its words, and its blocks."""

    name: str
    title: str
    says: str
    place: int
    filters: tuple[str, ...]
    subject: str | None
    blocks: Callable[[At], Iterable[Block]]

    def at(self, at: At) -> list[Block]:
        """Return the blocks for a reader, using only filters that the page offers."""
        return list(self.blocks(replace(at, filters=at.filters.only(self.filters))))

    def unheard(self, at: At) -> dict[str, list[str]]:
        """Return, for each query, the filters that are set but do not change it."""
        here = at.filters.only(self.filters)
        asked = questions(self.at(at))
        found: dict[str, list[str]] = {sql: [] for sql in asked}
        for kind in here.set:
            same = questions(self.at(replace(at, filters=here.without(kind))))
            for sql in set(same).intersection(asked):
                found[sql].append(kind)
        return found


def flat(blocks: Iterable[Block]) -> Iterator[Single]:
    for block in blocks:
        if isinstance(block, list):
            yield from block
        else:
            yield block


def questions(blocks: Iterable[Block]) -> list[str]:
    """All different queries of some blocks."""
    return list(dict.fromkeys(tidy(each.sql) for each in flat(blocks) if each.sql))


def tidy(sql: str) -> str:
    """Return SQL as readers see it and as it runs, without blank lines and indent."""
    full = [line.rstrip() for line in sql.splitlines() if line.strip()]
    return textwrap.dedent("\n".join(full)).strip()


def slug(title: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


def address(page: str, of: object) -> str:
    """Return the address, within the app, of a page about `of`."""
    return f"{page}?of={quote(str(of), safe='')}"


def pages() -> dict[str, Page]:
    """Return the pages by name, in their order, from the current files."""
    files = [path for path in VIEWS.glob("*.py") if path.stem != "__init__"]
    found = [_page(path, path.stat().st_mtime_ns) for path in files]
    return {page.name: page for page in sorted(found, key=lambda page: page.place)}


def newest_change() -> int:
    """Return when a page's file was last changed, in nanoseconds since 1970."""
    return max(path.stat().st_mtime_ns for path in VIEWS.glob("*.py"))


@cache
def _page(path: Path, changed: int) -> Page:  # noqa: ARG001
    known = runpy.run_path(str(path))
    title, _, says = str(known["__doc__"]).strip().partition(": ")
    return Page(
        path.stem,
        title,
        says[:1].upper() + says[1:],
        known["PLACE"],
        known.get("FILTERS", ()),
        known.get("SUBJECT"),
        known["blocks"],
    )


def by_year(where: str) -> str:
    """A select of the number and average of some ratings, by year."""
    return f"""
        select extract(year from rated_date) as rating_year,
            cast(sum(rating) as double) / count(*) as average_rating,
            count(*) as rating_count
        from serving.fct_ratings
        where {where}
        group by extract(year from rated_date)
        order by rating_year"""


def measured(*names: str, where: str = "true") -> str:
    """A select of metrics of one table, over the rows that meet a condition."""
    (table,) = {metrics()[name].table for name in names}
    asked = ",\n    ".join(f"{metrics()[name].sql} as {name}" for name in names)
    return f"select\n    {asked}\nfrom serving.{table}\nwhere {where}"
