"""Metrics: the figures that dashboards, report and Power BI show, defined once.

The yml file of a mart defines the metrics of its table for dbt's semantic layer. This
module reads the same files and writes each metric as SQL over the published tables, so
that dbt is not needed where a figure is shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from reelhouse.errors import ReelhouseError
from reelhouse.settings import project

MARTS = "models/marts"

# Aggregations that every tool which reads the definitions can write.
AGGREGATIONS = ("count", "count_distinct", "sum")
# A column, or a product of columns.
PRODUCT = re.compile(r"[a-z_]\w*( \* [a-z_]\w*)*")
FILTER = re.compile(
    r"\{\{ Dimension\('\w+__(?P<name>\w+)'\) \}\} "
    r"(?P<operator>=|>|>=|<|<=) (?P<number>\d+)"
)


@dataclass(frozen=True)
class Condition:
    """A comparison of a column with a whole number, such as months_since > 0."""

    column: str
    operator: str
    number: int


@dataclass(frozen=True)
class Measure:
    """An aggregate of one published table.

    `aggregation` is one of AGGREGATIONS, `columns` what it applies to: one column, or
    for a sum several that are multiplied. With `condition` only its rows count; with
    `newest_by` only those with the greatest value of that column, a key of the table.
    """

    table: str
    aggregation: str
    columns: tuple[str, ...]
    newest_by: str | None = None
    condition: Condition | None = None

    @property
    def sql(self) -> str:
        """The aggregate as an expression that DuckDB and Snowflake take."""
        value = " * ".join(self.columns)
        if self.condition:
            each = self.condition
            value = (
                f"case when {each.column} {each.operator} {each.number} "
                f"then {value} end"
            )
        if self.newest_by:
            return f"max_by({value}, {self.newest_by})"
        if self.aggregation == "count_distinct":
            return f"count(distinct {value})"
        return f"{self.aggregation}({value})"


@dataclass(frozen=True)
class Metric:
    """A figure: a measure, or the ratio of two measures of the same table.

    `digits` are the decimals to show, of percents if the unit is "%". A metric that is
    only used in other metrics has no `unit`.
    """

    name: str
    label: str
    description: str
    unit: str | None
    digits: int
    numerator: Measure
    denominator: Measure | None = None

    @property
    def table(self) -> str:
        """The published table that it is computed from."""
        return self.numerator.table

    @property
    def sql(self) -> str:
        """An aggregate expression over `table`: a number, null if there is none."""
        if not self.denominator:
            return self.numerator.sql
        return (
            f"cast({self.numerator.sql} as double) "
            f"/ nullif(cast({self.denominator.sql} as double), 0)"
        )

    @property
    def question(self) -> str:
        """The select that answers with one row and one column of this name."""
        return f"select {self.sql} as {self.name} from serving.{self.table}"

    @property
    def is_share(self) -> bool:
        return self.unit == "%"

    def text(self, value: float | None) -> str:
        """A value for a reader, with thousands separators and no unit but percent."""
        if value is None:
            return "–"
        if self.is_share:
            return f"{value * 100:,.{self.digits}f} %"
        return f"{value:,.{self.digits}f}"


@cache
def metrics(marts: Path | None = None) -> dict[str, Metric]:
    """The metrics that are shown, by name, in the order of their definitions.

    Raises ReelhouseError for a definition that not every tool can write.
    """
    return {name: each for name, each in all_metrics(marts).items() if each.unit}


@cache
def all_metrics(marts: Path | None = None) -> dict[str, Metric]:
    """The same, including metrics that are only used in others."""
    found: dict[str, Metric] = {}
    for path in sorted((marts or project() / MARTS).glob("*/*.yml")):
        text = path.read_text(encoding="utf-8")
        # Most marts have no metric, and parsing them all takes a second.
        if "metrics:" in text:
            found |= _of_mart(yaml.safe_load(text))
    return found


def _of_mart(declared: dict[str, Any]) -> dict[str, Metric]:
    found = {}
    for model in declared["models"]:
        columns = _columns(model)
        for each in model.get("metrics", []):
            found[each["name"]] = _metric(each, _measure(model["name"], each, columns))
    # Inside a model, dbt 1.12's partial parse would find a ratio twice.
    for each in declared.get("metrics", []):
        name, kind = each["name"], each.get("type")
        if kind != "ratio" or "filter" in each:
            raise _not_understood(name, f"type {kind}", "ratio, without a filter")
        parts = [found.get(each[side]) for side in ("numerator", "denominator")]
        if None in parts:
            raise _not_understood(name, "ratio", "metrics of the same table")
        found[name] = _metric(each, *(part.numerator for part in parts if part))
    return found


def _columns(model: dict[str, Any]) -> dict[str, str]:
    """The columns that are dimensions, by the dimensions' names."""
    found = {}
    for column in model["columns"]:
        if dimension := column.get("dimension"):
            named = dimension if isinstance(dimension, dict) else {}
            found[named.get("name", column["name"])] = column["name"]
    return found


def _metric(each: dict[str, Any], *parts: Measure) -> Metric:
    meta = each.get("config", {}).get("meta", {})
    return Metric(
        each["name"],
        each["label"],
        " ".join(each["description"].split()),
        meta.get("unit"),
        meta.get("digits", 0),
        *parts,
    )


def _measure(table: str, each: dict[str, Any], columns: dict[str, str]) -> Measure:
    name = each["name"]
    expression = str(each.get("expr", name))
    window = each.get("non_additive_dimension")
    kind = each.get("type", "simple")
    if kind != "simple":
        raise _not_understood(name, f"type {kind}", "simple")
    if each["agg"] not in AGGREGATIONS:
        raise _not_understood(
            name, f"aggregation {each['agg']}", ", ".join(AGGREGATIONS)
        )
    if not PRODUCT.fullmatch(expression):
        raise _not_understood(
            name, f"expression {expression}", "a column or a product of columns"
        )
    if window and (window["window_agg"] != "max" or each["agg"] != "sum"):
        raise _not_understood(name, "window", "a sum at the max only")
    return Measure(
        table=table,
        aggregation=each["agg"],
        columns=tuple(expression.split(" * ")),
        newest_by=columns[window["name"]] if window else None,
        condition=_condition(each, columns) if "filter" in each else None,
    )


def _condition(each: dict[str, Any], columns: dict[str, str]) -> Condition:
    match = FILTER.fullmatch(each["filter"])
    column = match and columns.get(match["name"])
    if not match or not column:
        raise _not_understood(
            each["name"],
            f"filter {each['filter']}",
            "a dimension of the same table compared with a whole number",
        )
    return Condition(column, match["operator"], int(match["number"]))


def _not_understood(name: str, what: str, instead: str) -> ReelhouseError:
    return ReelhouseError(
        f"The {what} of the metric {name} in models/marts is not supported by every "
        f"reader of metrics: use {instead}."
    )
