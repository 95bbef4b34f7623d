"""The semantic model: tables, relationships and measures, from the dbt manifest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reelhouse.errors import ReelhouseError
from reelhouse.powerbi.relations import Node, Relation, marts_of, relations_of
from reelhouse.serving.metrics import Measure, Metric

# Power BI's name for each type of the marts, without precision. Power BI's decimal has
# only four decimal places and a relevance has five, so a decimal becomes a double.
TYPES = {
    "bigint": "int64",
    "integer": "int64",
    "double": "double",
    "decimal": "double",
    "varchar": "string",
    "boolean": "boolean",
    "date": "dateTime",
    "datetime": "dateTime",
}
# The relationship that passes a filter on genres on to movies; a movie has several.
FILTERED_THROUGH = ("bridge_movies_genres", "dim_movies")
# A table for measures only, so that no measure has the name of a column.
MEASURES = "Metrics"


@dataclass(frozen=True)
class Relationship(Relation):
    """A relation that passes a filter on the parent table on to the child.

    If it `is_both`, it also passes filters the other way. A filter may have only one
    path between two tables; a relationship that would add a second one is inactive,
    unless a measure uses it.
    """

    is_active: bool
    is_both: bool


@dataclass(frozen=True)
class Model:
    """The model for Power BI; `tables` are dbt's nodes by their published names."""

    tables: dict[str, Node]
    relationships: tuple[Relationship, ...]
    metrics: tuple[Metric, ...]

    @property
    def fields(self) -> dict[str, tuple[str, str, str]]:
        """Kind, table and name of every column (table.column) and every metric."""
        return {
            f"{table}.{name}": ("Column", table, name)
            for table, node in self.tables.items()
            for name in node["columns"]
        } | {each.name: ("Measure", MEASURES, each.label) for each in self.metrics}


def model_of(manifest: Node, metrics: Iterable[Metric]) -> Model:
    """Return the model of a dbt manifest: every published table, but no view.

    A view repeats data of the tables, for readers without relationships.
    Raises ReelhouseError for a type that is not in TYPES, and for a metric of a column
    that does not exist.
    """
    marts = marts_of(manifest)
    tables = {
        name: node
        for name, node in marts.items()
        if not _is_published_as_view(manifest, node)
    }
    ways: list[tuple[str, str]] = []
    relationships: list[Relationship] = []
    for relation in (
        each for mart in marts.values() for each in relations_of(manifest, mart)
    ):
        child, parent = relation.child, relation.parent
        # Seeds are not published.
        if not {child, parent} <= tables.keys():
            continue
        # Otherwise a filter on genres would stop at the bridge.
        is_both = (child, parent) == FILTERED_THROUGH
        longer = [*ways, (parent, child), *([(child, parent)] if is_both else [])]
        if is_active := _is_one_way(longer):
            ways = longer
        about = vars(relation) | {"is_active": is_active, "is_both": is_both}
        relationships.append(Relationship(**about))
    model = Model(tables, tuple(relationships), tuple(metrics))
    _check(model)
    return model


def _is_one_way(ways: list[tuple[str, str]]) -> bool:
    """Whether a filter has at most one path between any two tables.

    Power BI refuses a model with two.
    """
    every = [list(_reached(ways, table, ())) for table in {start for start, _ in ways}]
    return all(len(each) == len(set(each)) for each in every)


def _reached(
    ways: list[tuple[str, str]], at: str, path: tuple[str, ...]
) -> Iterator[str]:
    """Yield the tables that a filter reaches, once for each path to them."""
    for start, end in ways:
        if start == at and end not in path:
            yield end
            yield from _reached(ways, end, (*path, at))


def _is_published_as_view(manifest: Node, node: Node) -> bool:
    """Whether a mart is a view of published tables alone; others become tables."""
    parents = [manifest["nodes"].get(name) for name in node["depends_on"]["nodes"]]
    return node["config"]["materialized"] == "view" and all(
        parent and parent["fqn"][1] == "marts" for parent in parents
    )


def _check(model: Model) -> None:
    for name, node in model.tables.items():
        for column in node["columns"].values():
            if column["data_type"].partition("(")[0] not in TYPES:
                raise ReelhouseError(
                    f"{name}.{column['name']} is of type {column['data_type']}, which "
                    f"has no type of Power BI yet: add it to TYPES in {__name__}."
                )
    for metric in model.metrics:
        for table, column in re.findall(r"'(\w+)'\[(\w+)\]", dax(metric)):
            if f"{table}.{column}" not in model.fields:
                raise ReelhouseError(
                    f"The metric {metric.name} uses {table}.{column}, which is not "
                    f"published: correct its definition in models/marts."
                )


def dax(metric: Metric) -> str:
    """Return a metric as a DAX expression, whose value is blank if there is none."""
    if metric.denominator:
        return f"DIVIDE({_dax(metric.numerator)}, {_dax(metric.denominator)})"
    return _dax(metric.numerator)


def _dax(measure: Measure) -> str:
    table = f"'{measure.table}'"
    columns = [f"{table}[{name}]" for name in measure.columns]
    if len(columns) > 1:
        value = f"SUMX({table}, {' * '.join(columns)})"
    else:
        function = {"sum": "SUM", "count": "COUNTA", "count_distinct": "DISTINCTCOUNT"}
        value = f"{function[measure.aggregation]}({columns[0]})"
    if each := measure.condition:
        value = (
            # KEEPFILTERS keeps the filters of the visual in effect.
            f"CALCULATE({value}, KEEPFILTERS({table}[{each.column}] "
            f"{each.operator} {each.number}))"
        )
    if measure.newest_by:
        newest = f"{table}[{measure.newest_by}]"
        value = (
            f"VAR newest = MAX({newest}) RETURN CALCULATE({value}, {newest} = newest)"
        )
    return value
