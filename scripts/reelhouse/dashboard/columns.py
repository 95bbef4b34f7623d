"""Columns: what charts and tables call the columns of an answer, and how they write
them.

A column has the name of its metric or the one below, or else its own; formats are those
of d3. `,` is for counts, whose axes start at zero, a sign for differences, `d` for
numbers that are but names.
"""

from __future__ import annotations

import pandas as pd

NAMES = {
    "applications": "times applied",
    "average_before": "average in the period before",
    "average_change": "change (stars)",
    "average_rating": "average rating (stars)",
    "average_relevance": "average relevance (0 to 1)",
    "bayesian_rating": "Bayesian rating (stars)",
    "build_seconds": "building (seconds)",
    "because": "because of",
    "cohort_users": "users who began",
    "cohort_year": "year of the first rating",
    "common_users": "users who liked both",
    "contribution": "share in the change (stars)",
    "count_before": "ratings in the period before",
    "engagement_level": "level",
    "former": "before",
    "load_id": "load",
    "load_seconds": "loading (seconds)",
    "months_since": "months since the first rating",
    "movies_relevant": "movies that it fits (0.5 or more)",
    "movies_with_tag": "movies with it among their top tags",
    "others_average": "average of all users (stars)",
    "previous_average_rating": "average, the 365 days before",
    "previous_rating_count": "ratings, the 365 days before",
    "rating": "rating (stars)",
    "rating_count": "ratings",
    "rating_year": "year of the rating",
    "recent_average_rating": "average, last 365 days",
    "recent_rating_count": "ratings, last 365 days",
    "rejected_lines": "records rejected",
    "relevance": "relevance (0 to 1)",
    "retention": "share who rate",
    "row_count": "rows",
    "seconds": "whole run (seconds)",
    "share": "share of those who tagged it",
    "similarity": "similarity (0 to 1)",
    "tag_count": "tags",
    "tag_year": "year of the tag",
    "total_ratings": "ratings of these movies",
    "version_number": "version",
    "weighted_average_rating": "weighted average (stars)",
}
FORMATS = {
    "average_change": "+.2f",
    "average_relevance": ".3f",
    "build_seconds": ".1f",
    "contribution": "+.3f",
    "load_seconds": ".1f",
    "rating": ".1f",
    "relevance": ".3f",
    "retention": ".1%",
    "score": ".3f",
    "seconds": ".1f",
    "share": ".0%",
    "similarity": ".3f",
    "months_since": "d",
    "rank": "d",
}


def called(column: str) -> str:
    name = NAMES.get(column, column.replace("_", " "))
    return f"{name} (UTC)" if column.endswith("_at") else name


def written(column: str, frame: pd.DataFrame) -> str:
    """The format of a column's numbers; '' for what is no number."""
    if not pd.api.types.is_numeric_dtype(frame[column]) or is_truth(frame, column):
        return ""
    if column in FORMATS:
        return FORMATS[column]
    if column.endswith(("year", "_id", "_number")):
        return "d"
    return "," if pd.api.types.is_integer_dtype(frame[column]) else ".2f"


def is_truth(frame: pd.DataFrame, column: str) -> bool:
    return bool(pd.api.types.is_bool_dtype(frame[column]))


def named(frame: pd.DataFrame) -> list[str]:
    """The columns that are shown: those that only lead somewhere are not, nor are those
    that begin with `_`, which sentences are made of.
    """
    hidden = {"href", "mean", "movie_id", "user_id"}
    return [name for name in frame if name not in hidden and name[0] != "_"]
