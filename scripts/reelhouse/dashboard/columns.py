"""The names and number formats of columns in charts and tables, from columns.yml."""

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
    """Return the format of a column's numbers, '' if they are not numbers."""
    kind = frame[column].dtype
    if pd.api.types.is_bool_dtype(kind) or not pd.api.types.is_numeric_dtype(kind):
        return ""
    if column in FORMATS:
        return FORMATS[column]
    if column.endswith(("year", "_id", "_number")):
        return "d"
    return "," if pd.api.types.is_integer_dtype(kind) else ".2f"


def dated(frame: pd.DataFrame, form: str) -> pd.DataFrame:
    """Return the frame with dates and timestamps as text, in the format `form`."""
    moments = {
        name: frame[name].dt.strftime(form).astype(object)
        for name in frame.select_dtypes("datetimetz")
    }
    return frame.assign(**moments)


def named(frame: pd.DataFrame) -> list[str]:
    """Return the columns to show: not those that only serve links, nor those that begin
    with `_`, which only sentences use.
    """
    hidden = {"href", "movie_id", "user_id"}
    return [name for name in frame if name not in hidden and name[0] != "_"]
