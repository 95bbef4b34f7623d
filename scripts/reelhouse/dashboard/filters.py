"""Filters: which movies and ratings a page is about, in the address and in SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

# A year outside these is taken for a typing error.
FIRST_YEAR, LAST_YEAR = 1800, 2200
MOST_RATINGS = 10**9
# The kinds of filters that a page can offer, with the fields that each kind sets.
KINDS = {
    "genres": ("genres",),
    "released": ("first_year", "last_year"),
    "ratings": ("min_ratings",),
    "rated": ("first_day", "last_day"),
}


@dataclass(frozen=True)
class Filters:
    """Filters of movies, by genre, release year and least number of ratings.

    And of ratings, by first and last day (UTC, inclusive), which are both set or both
    None. Without genres, all count; a year of None sets no limit. If either year is
    set, a movie without a year is left out.
    """

    genres: tuple[str, ...] = ()
    first_year: int | None = None
    last_year: int | None = None
    min_ratings: int = 0
    first_day: date | None = None
    last_day: date | None = None

    @property
    def set(self) -> tuple[str, ...]:
        """The kinds of filters that are set."""
        return tuple(kind for kind in KINDS if self.without(kind) != self)

    def taking(self, kinds: Collection[str], other: Filters) -> Filters:
        """Return a copy that takes the filters of some kinds from `other`."""
        changed: dict[str, Any] = {
            name: getattr(other, name) for kind in kinds for name in KINDS[kind]
        }
        return replace(self, **changed)

    def without(self, *kinds: str) -> Filters:
        return self.taking(kinds, Filters())

    def only(self, kinds: Collection[str]) -> Filters:
        return self.without(*(kind for kind in KINDS if kind not in kinds))

    def movies(self, movie_id: str = "movie_id") -> str:
        """Return an SQL condition for the movies; `movie_id` is the column to test.

        Each filter is nested in the next, so that the many ratings are matched with the
        few movies only once.
        """
        parts = []
        if self.genres:
            genres = ", ".join(literal(genre) for genre in self.genres)
            parts.append(("bridge_movies_genres", f"genre in ({genres})"))
        if self.first_year is not None or self.last_year is not None:
            first, last = self.first_year or FIRST_YEAR, self.last_year or LAST_YEAR
            parts.append(("dim_movies", f"release_year between {first} and {last}"))
        if self.min_ratings:
            fewest = f"rating_count >= {self.min_ratings}"
            parts.append(("mart_movie_performance", fewest))
        within = ""
        for table, where in parts:
            more = f" and movie_id in ({within})" if within else ""
            within = f"select movie_id from serving.{table} where {where}{more}"
        return f"{movie_id} in ({within})" if within else "true"

    def ratings(self) -> str:
        """Return an SQL condition for the rows of fct_ratings."""
        if self.first_day is None or self.last_day is None:
            return self.movies()
        days = f"rated_date between date '{self.first_day}' and date '{self.last_day}'"
        return days if self.movies() == "true" else f"{days} and {self.movies()}"

    def before(self) -> Filters:
        """Return a copy with the period of equal length that precedes this one."""
        if self.first_day is None or self.last_day is None:
            return self
        return replace(
            self,
            first_day=self.first_day - (self.last_day - self.first_day) - ONE_DAY,
            last_day=self.first_day - ONE_DAY,
        )

    def described(self) -> str:
        """The filters in words; '' if none is set."""
        parts = []
        if self.genres:
            parts.append(" or ".join(self.genres))
        years = (("from", self.first_year), ("up to", self.last_year))
        if known := [f"{word} {year}" for word, year in years if year is not None]:
            parts.append(f"released {' '.join(known)}")
        if self.min_ratings:
            parts.append(f"movies with at least {self.min_ratings:,} ratings")
        if self.first_day and self.last_day:
            parts.append(f"rated from {self.first_day} to {self.last_day}")
        return ", ".join(parts)

    def to_address(self) -> dict[str, list[str]]:
        """Return the parameters of the page's address."""
        values = {
            "genre": list(self.genres),
            "from": [] if self.first_year is None else [str(self.first_year)],
            "to": [] if self.last_year is None else [str(self.last_year)],
            "ratings": [str(self.min_ratings)] if self.min_ratings else [],
            "since": [str(self.first_day)] if self.first_day else [],
            "until": [str(self.last_day)] if self.last_day else [],
        }
        return {name: texts for name, texts in values.items() if texts}

    @classmethod
    def from_address(
        cls, address: Mapping[str, Sequence[str]], known_genres: Sequence[str]
    ) -> Filters:
        """Return the filters of an address; ignore values that make no sense."""
        genres = [each for each in address.get("genre", ()) if each in known_genres]
        first, last = (_day(address.get(name)) for name in ("since", "until"))
        if first is None or last is None or first > last:
            first = last = None
        since, until = (
            whole(address.get(name), FIRST_YEAR, LAST_YEAR) for name in ("from", "to")
        )
        if (since or FIRST_YEAR) > (until or LAST_YEAR):
            since = until = None
        return cls(
            tuple(dict.fromkeys(genres)),
            since,
            until,
            whole(address.get("ratings"), 0, MOST_RATINGS) or 0,
            first,
            last,
        )


ONE_DAY = timedelta(days=1)


def whole(texts: Sequence[str] | None, least: int, most: int) -> int | None:
    """The whole number that a parameter holds, if it lies within the limits."""
    text = texts[-1] if texts else ""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return None
    return int(text) if least <= int(text) <= most else None


def _day(texts: Sequence[str] | None) -> date | None:
    try:
        day = date.fromisoformat(texts[-1]) if texts else None
    except ValueError:
        return None
    return day if day and FIRST_YEAR <= day.year <= LAST_YEAR else None


def literal(text: str) -> str:
    """Return a text as an SQL literal that means the same on both engines.

    A backslash is an ordinary character on one of them, and an escape on the other.
    """
    quoted = text.replace("'", "''").replace("\\", "' || chr(92) || '")
    return f"('{quoted}')"
