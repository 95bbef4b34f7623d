"""Query: one read-only question to the published tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from typing import Any, BinaryIO, Literal

from reelhouse.engines.engine import engine_of
from reelhouse.engines.warehouse import Answer, CannotAnswer
from reelhouse.errors import ReelhouseError
from reelhouse.settings import Settings


def ask(settings: Settings, question: str) -> Answer:
    """Column names and rows of one select on the published tables of a target.

    Raises ReelhouseError if it cannot be run.
    """
    engine = engine_of(settings)
    engine.check_question(question)
    with engine.reading(settings) as answer:
        try:
            return answer(question)
        except CannotAnswer as error:
            raise ReelhouseError(
                f"The question cannot be answered ({error}): correct it; "
                f"`reelhouse query 'select * from published_tables'` lists the tables."
            ) from error


def write(
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    form: Literal["csv", "json", "parquet"],
    out: BinaryIO,
) -> None:
    """Write an answer with every digit: CSV, a JSON list of objects, or Parquet.

    CSV and JSON are UTF-8; a null is an empty field in CSV. Raises ReelhouseError if
    two columns have the same name, which JSON and Parquet cannot hold.
    """
    if form != "csv" and len(set(names)) != len(names):
        raise ReelhouseError(
            f"Two columns of the answer have the same name, which {form} cannot hold: "
            f"rename one with `as`."
        )
    if form == "parquet":
        import pyarrow as pa  # type: ignore[import-untyped]
        from pyarrow import parquet

        columns = {}
        for at, name in enumerate(names):
            values = [row[at] for row in rows]
            try:
                columns[name] = pa.array(values)
            except (OverflowError, pa.ArrowInvalid):
                # Arrow has no type for these numbers, so they become text.
                texts = [None if v is None else str(v) for v in values]
                columns[name] = pa.array(texts)
        # At once, since a pipe cannot be written to from two places.
        with pa.BufferOutputStream() as buffer:
            parquet.write_table(pa.table(columns), buffer)
            out.write(buffer.getvalue())
        return
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    try:
        if form == "csv":
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(names)
            writer.writerows(rows)
        else:
            # JSON has no infinity and no NaN, so these become null.
            objects = [
                {
                    name: None if isinstance(v, float) and not isfinite(v) else v
                    for name, v in zip(names, row, strict=True)
                }
                for row in rows
            ]
            json.dump(objects, text, ensure_ascii=False, indent=1, default=_plain)
            text.write("\n")
    finally:
        text.detach()


def _plain(value: object) -> object:
    """Convert a value that JSON cannot hold: to a number if exact, else to text."""
    if isinstance(value, Decimal) and Decimal(repr(float(value))) == value:
        return float(value)
    return str(value)
