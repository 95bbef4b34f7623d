"""Views: rewrite a view of the marts to read only published tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from reelhouse.errors import ReelhouseError

if TYPE_CHECKING:
    from sqlglot import exp

Dialect = Literal["duckdb", "snowflake"]
MARTS = "marts"


@dataclass(frozen=True)
class View:
    """The text of a view's query, and the relations of the marts that it reads.

    `outside` is what else it reads: other schemas, files, functions.
    """

    text: str
    reads: frozenset[str]
    outside: tuple[str, ...]


def published_view(
    name: str, text: str, dialect: Dialect, database: str, schema: str = ""
) -> View:
    """Rewrite a view of the marts for publishing; `text` is its CREATE VIEW or a query.

    Its relations are named in `schema`, or without a schema if that is empty.
    Everything else stays as written, except that without a schema, a CTE with the name
    of a relation is renamed: Snowflake treats a relation inside a CTE of the same name
    as recursion. `database` is that of the marts. Raises ReelhouseError if the text
    cannot be parsed, or would read other relations than before.
    """
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    edits: dict[tuple[int, int], str] = {}

    def put(new: str, first: Any, last: Any) -> None:
        edits[first.meta["start"], last.meta["end"] + 1] = new

    def written(part: Any) -> str:
        return text[part.meta["start"] : part.meta["end"] + 1]

    try:
        text = _query(text, dialect)
        query, tables, references, outside = _relations(text, dialect, database, MARTS)
        reads = {table.name for table in tables}
        prefix = f"{schema}." if schema else ""
        for table in tables:
            put(prefix + written(table.this), table.parts[0], table.parts[-1])
        for column in query.find_all(exp.Column):
            if column.db.lower() == MARTS and column.table in reads:
                relation = column.args["table"]
                put(prefix + written(relation), column.parts[0], relation)
        for cte in () if schema else query.find_all(exp.CTE):
            if cte.alias in reads:
                alias = cte.args["alias"].this
                put(f'"{cte.alias}__CTE"', alias, alias)
        for table in () if schema else references:
            if table.name in reads:
                alias = "" if table.alias else f" as {written(table.this)}"
                put(f'"{table.name}__CTE"{alias}', table.this, table.this)
        moved = text
        for (start, end), new in sorted(edits.items(), reverse=True):
            moved = moved[:start] + new + moved[end:]
        _, again, _, beside = _relations(moved, dialect, database, schema)
    except SqlglotError as error:
        raise refusal(name, error) from error
    if ({table.name for table in again}, beside) != (reads, outside):
        raise refusal(name, "its rewritten text reads other relations")
    return View(moved, frozenset(each.lower() for each in reads), outside)


def _relations(
    text: str, dialect: Dialect, database: str, home: str
) -> tuple[exp.Expr, list[exp.Table], list[exp.Table], tuple[str, ...]]:
    """Return a query, its relations in `home`, its CTE references, and the rest.

    Relations without a schema count as in `home`. The rest is what else it reads.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.optimizer.normalize_identifiers import normalize_identifiers
    from sqlglot.optimizer.scope import Scope, traverse_scope

    query = normalize_identifiers(
        sqlglot.parse_one(text, dialect=dialect), dialect=dialect
    )
    references = [
        table
        for scope in traverse_scope(query)
        for table in scope.tables
        if not table.db
        and isinstance(source := scope.sources.get(table.alias_or_name), Scope)
        and isinstance(source.expression.parent, exp.CTE)
    ]
    found: dict[bool, list[exp.Table]] = {True: [], False: []}
    known = {*map(id, references)}
    for table in query.find_all(exp.Table):
        if id(table) not in known:
            is_at_home = (
                isinstance(table.this, exp.Identifier)
                and table.db.lower() in ("", home)
                and table.catalog.lower() in ("", database.lower())
            )
            found[is_at_home].append(table)
    outside = tuple(sorted(table.sql(dialect=dialect) for table in found[False]))
    return query, found[True], references, outside


def refusal(name: str, why: object) -> ReelhouseError:
    """The error for a view that cannot be published."""
    return ReelhouseError(
        f"The view {name} cannot be published ({str(why).splitlines()[0]}): let it "
        f"read published tables only, or make it a table."
    )


def _query(text: str, dialect: Dialect) -> str:
    """The query after the AS of a CREATE VIEW; any other text as it is."""
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
