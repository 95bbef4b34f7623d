"""The semantic model: tables, relationships and measures, of the dbt manifest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reelhouse.errors import ReelhouseError
from reelhouse.powerbi.relations import Node, Relation, marts_of, relations_of
from reelhouse.serving.metrics import Measure, Metric

# Power BI's word for the first word of a type of the marts. Its own decimal has four
# digits behind the point, a relevance five.
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
# A movie has several genres: the relationship that a filter on genres goes on by.
FILTERED_THROUGH = ("bridge_movies_genres", "dim_movies")
# A table of measures alone, so that none has a name that a column has.
MEASURES = "Metrics"


@dataclass(frozen=True)
class Relationship(Relation):
    """A relation that a filter on the parent goes on by, to the child.

    Where it `is_both`, also the other way. Between two tables a filter has one way at
    most; a relationship that would give it another is not active, and waits for a
    measure to use it.
    """

    is_active: bool
    is_both: bool


@dataclass(frozen=True)
class Model:
    """What Power BI is told: dbt's nodes by the names that they are published under."""

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
    """The model of a dbt manifest: every published table, but no view.

    A view repeats what the tables say, for readers without relationships.
    Raises ReelhouseError for a type that Power BI has no word for, and for a metric of
    a column that is not there.
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
        # Else a filter on genres would end at the bridge.
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
    """Whether a filter has one way at most between any two tables.

    Power BI refuses a model in which it finds two.
    """
    every = [list(_reached(ways, table, ())) for table in {start for start, _ in ways}]
    return all(len(each) == len(set(each)) for each in every)


def _reached(
    ways: list[tuple[str, str]], at: str, path: tuple[str, ...]
) -> Iterator[str]:
    """The tables that a filter acts on, each as often as there are ways to it."""
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
                    f"Power BI is not told of: add it to TYPES in {__name__}."
                )
    for metric in model.metrics:
        for table, column in re.findall(r"'(\w+)'\[(\w+)\]", dax(metric)):
            if f"{table}.{column}" not in model.fields:
                raise ReelhouseError(
                    f"The metric {metric.name} is of {table}.{column}, which is not "
                    f"published: correct its definition in models/marts."
                )


def dax(metric: Metric) -> str:
    """A metric as a DAX expression; its value is blank where there is none."""
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
            # Rows that a visual asks for stay those rows.
            f"CALCULATE({value}, KEEPFILTERS({table}[{each.column}] "
            f"{each.operator} {each.number}))"
        )
    if measure.newest_by:
        newest = f"{table}[{measure.newest_by}]"
        value = (
            f"VAR newest = MAX({newest}) RETURN CALCULATE({value}, {newest} = newest)"
        )
    return value
