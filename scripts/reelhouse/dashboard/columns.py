"""Columns: what charts and tables call the columns of an answer, and how they write
them, as columns.yml says it.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import yaml

WORDS = yaml.safe_load(Path(__file__).with_name("columns.yml").read_text("utf-8"))
NAMES: dict[str, str] = WORDS["names"]
FORMATS: dict[str, str] = WORDS["formats"]


def called(column: str) -> str:
    name = NAMES.get(column, column.replace("_", " "))
    return f"{name} (UTC)" if column.endswith("_at") else name


def written(column: str, frame: pd.DataFrame) -> str:
    """The format of a column's numbers; '' for what is no number."""
    kind = frame[column].dtype
    if pd.api.types.is_bool_dtype(kind) or not pd.api.types.is_numeric_dtype(kind):
        return ""
    if column in FORMATS:
        return FORMATS[column]
    if column.endswith(("year", "_id", "_number")):
        return "d"
    return "," if pd.api.types.is_integer_dtype(kind) else ".2f"


def dated(frame: pd.DataFrame, form: str) -> pd.DataFrame:
    """The same with days and moments as texts of a form."""
    moments = {
        name: frame[name].dt.strftime(form).astype(object)
        for name in frame.select_dtypes("datetimetz")
    }
    return frame.assign(**moments)


def named(frame: pd.DataFrame) -> list[str]:
    """The columns that are shown: those that only lead somewhere are not, nor are those
    that begin with `_`, which sentences are made of.
    """
    hidden = {"href", "movie_id", "user_id"}
    return [name for name in frame if name not in hidden and name[0] != "_"]
