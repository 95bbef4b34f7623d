"""Views: what a view of the marts selects, made to read the published tables alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from reelhouse.errors import ReelhouseError

if TYPE_CHECKING:
    from sqlglot import exp

Dialect = Literal["duckdb", "snowflake"]


@dataclass(frozen=True)
class View:
    """What a view selects: its text, and the relations of the marts that it reads.

    `outside` is what it reads beside them: other schemas, files, functions.
    """

    text: str
    reads: frozenset[str]
    outside: tuple[str, ...]


@dataclass(frozen=True)
class _Parsed:
    """A text, its names of relations in the marts, its CTEs and references to them."""

    text: str
    tables: list[exp.Table]
    columns: list[exp.Column]
    ctes: list[exp.CTE]
    references: list[exp.Table]
    outside: tuple[str, ...]

    @property
    def reads(self) -> frozenset[str]:
        return frozenset(table.name.lower() for table in self.tables)


def published_view(
    name: str, text: str, dialect: Dialect, database: str, schema: str = ""
) -> View:
    """A view of the marts as it is published; `text` is its CREATE VIEW, or a query.

    Its relations are named in `schema`, or without one where that is empty. All else
    stays as it was written. `database` is that of the marts. Raises ReelhouseError
    where the text cannot be read.
    """
    from sqlglot.errors import SqlglotError

    try:
        found = _parsed(_query(text, dialect), dialect, database, "marts")
        moved = _moved(found, schema)
        again = _parsed(moved, dialect, database, schema)
    except SqlglotError as error:
        raise refusal(name, error) from error
    if (again.reads, again.outside) != (found.reads, found.outside):
        raise refusal(name, "its text reads other relations than it did")
    return View(moved, found.reads, found.outside)


def refusal(name: str, why: object) -> ReelhouseError:
    """What is said of a view that cannot be published."""
    return ReelhouseError(
        f"The view {name} cannot be published ({str(why).splitlines()[0]}): let it "
        f"read published tables only, or make it a table."
    )


def _query(text: str, dialect: Dialect) -> str:
    """What stands behind the AS of a CREATE VIEW; another text as it is."""
    from sqlglot import TokenType, tokenize

    tokens = tokenize(text, read=dialect)
    start, end, depth = 0, len(text), 0
    if tokens and tokens[0].token_type == TokenType.CREATE:
        for token in tokens:
            if token.token_type == TokenType.ALIAS and not depth:
                start = token.end + 1
                break
            depth += token.token_type == TokenType.L_PAREN
            depth -= token.token_type == TokenType.R_PAREN
    if tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        end = tokens[-1].start
    return text[start:end].strip()


def _parsed(text: str, dialect: Dialect, database: str, home: str) -> _Parsed:
    """Find the relations of a query; those without a schema are at `home` as well."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.optimizer.normalize_identifiers import normalize_identifiers
    from sqlglot.optimizer.scope import Scope, traverse_scope

    query = normalize_identifiers(
        sqlglot.parse_one(text, dialect=dialect), dialect=dialect
    )
    references = {
        id(table): table
        for scope in traverse_scope(query)
        for table in scope.tables
        if not table.db
        and isinstance(source := scope.sources.get(table.alias_or_name), Scope)
        and isinstance(source.expression.parent, exp.CTE)
    }
    tables: list[exp.Table] = []
    outside: list[exp.Table] = []
    for table in query.find_all(exp.Table):
        is_at_home = (
            isinstance(table.this, exp.Identifier)
            and table.db.lower() in ("", home)
            and table.catalog.lower() in ("", database.lower())
        )
        if id(table) not in references:
            (tables if is_at_home else outside).append(table)
    names = {table.name for table in tables}
    columns = [
        column
        for column in query.find_all(exp.Column)
        if column.db.lower() == home and home and column.table in names
    ]
    return _Parsed(
        text,
        tables,
        columns,
        [*query.find_all(exp.CTE)],
        [*references.values()],
        tuple(sorted(table.sql(dialect=dialect) for table in outside)),
    )


def _moved(found: _Parsed, schema: str) -> str:
    """The text with its relations in another schema.

    Where that is no schema, a CTE of the same name gets another: Snowflake takes a
    relation inside a CTE of its own name for a recursion.
    """
    prefix = f"{schema}." if schema else ""
    edits: dict[tuple[int, int], str] = {}

    def put(text: str, *parts: Any) -> None:
        edits[parts[0].meta["start"], parts[-1].meta["end"] + 1] = text

    def written(part: Any) -> str:
        return found.text[part.meta["start"] : part.meta["end"] + 1]

    for table in found.tables:
        put(prefix + written(table.this), *table.parts)
    for column in found.columns:
        name = column.args["table"]
        put(prefix + written(name), column.parts[0], name)
    for cte in found.ctes:
        if not schema and cte.alias.lower() in found.reads:
            put(f'"{cte.alias}__CTE"', cte.args["alias"].this)
    for table in found.references:
        if not schema and table.name.lower() in found.reads:
            alias = "" if table.alias else f" as {written(table.this)}"
            put(f'"{table.name}__CTE"{alias}', table.this)
    text = found.text
    for (start, end), new in sorted(edits.items(), reverse=True):
        text = text[:start] + new + text[end:]
    return text
