"""The semantic model, in TMDL: tables, columns, relationships and measures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from reelhouse.errors import ReelhouseError
from reelhouse.powerbi.documents import as_json, platform
from reelhouse.powerbi.relations import relations_of, tables_of
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
FORMATS = {"date": "yyyy-mm-dd", "datetime": "yyyy-mm-dd hh:nn:ss"}
# What Desktop asks for when the project is opened; the names are those of the set-up
# in scripts/snowflake.
PARAMETERS = {
    "Server": (
        "your-account.snowflakecomputing.com",
        "Address of the Snowflake account, without https://.",
    ),
    "Warehouse": (
        "REELHOUSE_REPORTING",
        "Warehouse that answers questions of readers.",
    ),
    "Role": ("REELHOUSE_REPORTER", "Role that may read the published tables."),
    "Database": ("MOVIELENS", "Database whose schema SERVING is read."),
}
DATES = "dim_dates"
# A movie has several genres: the relationship that a filter on genres goes on by.
FILTERED_THROUGH = ("bridge_movies_genres", "dim_movies")
MEASURES = "Metrics"


@dataclass(frozen=True)
class Column:
    """A column of a published table; `data_type` is the declared one."""

    name: str
    data_type: str
    description: str

    @property
    def kind(self) -> str:
        return self.data_type.partition("(")[0]


@dataclass(frozen=True)
class Table:
    """A published table with its columns in order."""

    name: str
    description: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Relationship:
    """Many rows of `child` belong to one of `parent`, by these columns.

    A filter on the parent acts on the child, and where it `is_both`, on the other side
    as well. Between two tables a filter has one way at most; a relationship that would
    give it another is not active, and waits for a measure to use it.
    """

    child: str
    child_column: str
    parent: str
    parent_column: str
    is_active: bool
    is_both: bool


@dataclass(frozen=True)
class Model:
    """What Power BI is told of the published tables."""

    tables: tuple[Table, ...]
    relationships: tuple[Relationship, ...]
    metrics: tuple[Metric, ...]


def model_of(manifest: dict[str, Any], metrics: Iterable[Metric]) -> Model:
    """The model of a dbt manifest: every published table, but no view.

    A view repeats what the tables say, for readers without relationships.
    Raises ReelhouseError for a type that Power BI has no word for.
    """
    nodes = {
        table.name: manifest["nodes"][table.unique_id] for table in tables_of(manifest)
    }
    tables = [
        _table(node)
        for node in nodes.values()
        if not _is_published_as_view(manifest, node)
    ]
    names = {table.name for table in tables}
    # To which tables a filter on each goes on.
    ways: dict[str, set[str]] = {name: set() for name in names}
    relationships: list[Relationship] = []
    for table in tables_of(manifest):
        for relation in relations_of(manifest, table):
            child, parent = relation.child, relation.parent
            # Seeds are not published.
            if not {child, parent} <= names:
                continue
            # Else a filter on genres would end at the bridge.
            is_both = (child, parent) == FILTERED_THROUGH
            new = {(parent, child)} | ({(child, parent)} if is_both else set())
            is_active = _at_most_one_way(ways, new)
            if is_active:
                for start, end in new:
                    ways[start].add(end)
            relationships.append(
                Relationship(
                    child, relation.column, parent, relation.field, is_active, is_both
                )
            )
    return Model(tuple(tables), tuple(relationships), tuple(metrics))


def _at_most_one_way(ways: dict[str, set[str]], new: set[tuple[str, str]]) -> bool:
    """Whether a filter has one way at most between any two tables, with new ones, too.

    Power BI refuses a model in which it finds two.
    """
    if any(end in ways[start] for start, end in new):
        return False
    longer = {start: {*ends} for start, ends in ways.items()}
    for start, end in new:
        longer[start].add(end)
    for start in longer:
        met: set[str] = {start}
        queue = [(start, "")]
        for table, before in queue:
            # Back over the same relationship is no other way.
            for end in longer[table] - {before}:
                if end in met:
                    return False
                met.add(end)
                queue.append((end, table))
    return True


def _is_published_as_view(manifest: dict[str, Any], node: dict[str, Any]) -> bool:
    """Whether a mart is a view of published tables alone; others become tables."""
    parents = [manifest["nodes"].get(name) for name in node["depends_on"]["nodes"]]
    return node["config"]["materialized"] == "view" and all(
        parent and parent["fqn"][1] == "marts" for parent in parents
    )


def model_files(model: Model) -> dict[str, str]:
    """The files of the semantic model by their paths."""
    definition = {"version": "4.2", "settings": {}}
    files = {
        ".platform": platform("SemanticModel"),
        "definition.pbism": as_json(
            "item/semanticModel/definitionProperties/1.0.0", definition
        ),
        "definition/database.tmdl": "database\n\tcompatibilityLevel: 1600\n",
        "definition/model.tmdl": _model_text(model),
        "definition/expressions.tmdl": _parameters_text(),
        "definition/relationships.tmdl": _relationships_text(model),
        f"definition/tables/{MEASURES}.tmdl": _measures_text(model),
    }
    for table in model.tables:
        files[f"definition/tables/{table.name}.tmdl"] = _table_text(table)
    return files


def dax(metric: Metric) -> str:
    """A metric as a DAX expression; its value is blank where there is none."""
    if metric.denominator:
        return f"DIVIDE({_dax(metric.numerator)}, {_dax(metric.denominator)})"
    return _dax(metric.numerator)


def _dax(measure: Measure) -> str:
    columns = [_field(measure.table, name) for name in measure.columns]
    if len(columns) > 1:
        value = f"SUMX('{measure.table}', {' * '.join(columns)})"
    else:
        function = {"sum": "SUM", "count": "COUNTA", "count_distinct": "DISTINCTCOUNT"}
        value = f"{function[measure.aggregation]}({columns[0]})"
    if measure.condition:
        each = measure.condition
        value = (
            # Rows that a visual asks for stay those rows.
            f"CALCULATE({value}, KEEPFILTERS({_field(measure.table, each.column)} "
            f"{each.operator} {each.number}))"
        )
    if measure.newest_by:
        newest = _field(measure.table, measure.newest_by)
        value = (
            f"VAR newest = MAX({newest}) RETURN CALCULATE({value}, {newest} = newest)"
        )
    return value


def _field(table: str, column: str) -> str:
    return f"'{table}'[{column}]"


def _table(node: dict[str, Any]) -> Table:
    columns = tuple(
        Column(name, each["data_type"], _one_line(each["description"]))
        for name, each in node["columns"].items()
    )
    for column in columns:
        if column.kind not in TYPES:
            raise ReelhouseError(
                f"{node['alias']}.{column.name} is of type {column.data_type}, which "
                f"Power BI is not told of: add it to TYPES in {__name__}."
            )
    return Table(node["alias"], _one_line(node["description"]), columns)


def _model_text(model: Model) -> str:
    references = "\n".join(
        f"ref table {name}"
        for name in [MEASURES, *(each.name for each in model.tables)]
    )
    return (
        "model Model\n"
        "\tculture: en-US\n"
        "\tdefaultPowerBIDataSourceVersion: powerBI_V3\n"
        "\tdiscourageImplicitMeasures\n"
        "\tsourceQueryCulture: en-US\n"
        "\tdataAccessOptions\n"
        "\t\tlegacyRedirects\n"
        "\t\treturnErrorValuesAsNull\n"
        "\n"
        "annotation __PBI_TimeIntelligenceEnabled = 0\n"
        "\n"
        f"{references}\n"
    )


def _parameters_text() -> str:
    texts = [
        f"/// {description}\n"
        f'expression {name} = "{value}" meta [IsParameterQuery=true, Type="Text", '
        "IsParameterQueryRequired=true]\n"
        f"\tlineageTag: {_tag('parameter', name)}\n"
        "\n"
        "\tannotation PBI_ResultType = Text\n"
        for name, (value, description) in PARAMETERS.items()
    ]
    return "\n".join(texts)


def _relationships_text(model: Model) -> str:
    texts = []
    for each in model.relationships:
        child = f"{each.child}.{each.child_column}"
        parent = f"{each.parent}.{each.parent_column}"
        inactive = "" if each.is_active else "\tisActive: false\n"
        both = "\tcrossFilteringBehavior: bothDirections\n" if each.is_both else ""
        texts.append(
            f"relationship {_tag('relationship', child, parent)}\n"
            f"{inactive}"
            f"{both}"
            f"\tfromColumn: {child}\n"
            f"\ttoColumn: {parent}\n"
        )
    return "\n".join(texts)


def _table_text(table: Table) -> str:
    is_dates = table.name == DATES
    lines = [
        f"/// {table.description}",
        f"table {table.name}",
        *(["\tdataCategory: Time"] if is_dates else []),
        f"\tlineageTag: {_tag(table.name)}",
        "",
    ]
    for column in table.columns:
        lines += _column_lines(table, column, is_dates and column.kind == "date")
    lines += _partition_lines(
        table.name,
        [
            "let",
            "    Account = Snowflake.Databases(Server, Warehouse, [Role = Role]),",
            '    Opened = Account{[Name = Database, Kind = "Database"]}[Data],',
            '    Serving = Opened{[Name = "SERVING", Kind = "Schema"]}[Data],',
            f'    Rows = Serving{{[Name = "{table.name.upper()}", Kind = "Table"]}}'
            "[Data]",
            "in",
            "    Rows",
        ],
    )
    return "\n".join(lines)


def _column_lines(table: Table, column: Column, may_be_key: bool) -> list[str]:
    # Of the columns of dim_dates the first date is the day.
    is_key = may_be_key and column == next(
        each for each in table.columns if each.kind == "date"
    )
    date_format = FORMATS.get(column.kind)
    return [
        f"\t/// {column.description}",
        f"\tcolumn {column.name}",
        f"\t\tdataType: {TYPES[column.kind]}",
        *(["\t\tisKey"] if is_key else []),
        *([f"\t\tformatString: {date_format}"] if date_format else []),
        f"\t\tlineageTag: {_tag(table.name, column.name)}",
        # Sums of averages, years and distinct counts mean nothing; measures add up.
        "\t\tsummarizeBy: none",
        f"\t\tsourceColumn: {column.name.upper()}",
        "",
        "\t\tannotation SummarizationSetBy = User",
        "",
    ]


def _partition_lines(table: str, steps: list[str]) -> list[str]:
    return [
        f"\tpartition {table} = m",
        "\t\tmode: import",
        "\t\tsource =",
        *(f"\t\t\t\t{step}" for step in steps),
        "",
        "\tannotation PBI_ResultType = Table",
        "",
    ]


def _measures_text(model: Model) -> str:
    """A table of measures alone, so that none has a name that a column has."""
    lines = [
        "/// The figures, each defined once for dashboards, report and this model.",
        f"table {MEASURES}",
        f"\tlineageTag: {_tag(MEASURES)}",
        "",
    ]
    for metric in model.metrics:
        lines += [
            f"\t/// {metric.description}",
            f"\tmeasure {_quoted(metric.label)} = {dax(metric)}",
            f"\t\tformatString: {_format(metric)}",
            f"\t\tlineageTag: {_tag('measure', metric.name)}",
            "",
        ]
    lines += [
        "\tcolumn nothing",
        "\t\tdataType: string",
        "\t\tisHidden",
        f"\t\tlineageTag: {_tag(MEASURES, 'nothing')}",
        "\t\tsummarizeBy: none",
        "\t\tsourceColumn: nothing",
        "",
        "\t\tannotation SummarizationSetBy = User",
        "",
        *_partition_lines(MEASURES, ["#table(type table [nothing = text], {})"]),
    ]
    return "\n".join(lines)


def _format(metric: Metric) -> str:
    digits = f".{'0' * metric.digits}" if metric.digits else ""
    return f"0{digits}%" if metric.is_share else f"#,0{digits}"


def _tag(*parts: str) -> str:
    """An identifier that is the same whenever it is made."""
    return str(uuid5(NAMESPACE_URL, "/".join(("reelhouse", "powerbi", *parts))))


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _one_line(text: str) -> str:
    return " ".join(text.split())
