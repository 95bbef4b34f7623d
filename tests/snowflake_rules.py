"""Rules that hold for every statement that is sent to an account."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

# Where Snowflake takes a name for that of a column before that of an alias.
CLAUSES = ("order", "having", "qualify")


def shadowed(tree: exp.Expr, columns: Mapping[str, set[str]]) -> list[str]:
    """Aliases that a clause names where a source has a column of that name.

    The column wins there, so that rows come in another order, or others are kept.
    `columns` are those of relations, by their names, in lower case.
    """
    found = []
    for scope in traverse_scope(tree):
        select = scope.expression
        if not isinstance(select, exp.Select):
            continue
        aliases = {
            each.alias.lower()
            for each in select.selects
            if isinstance(each, exp.Alias)
            and not (
                isinstance(each.this, exp.Column)
                and each.this.name.lower() == each.alias.lower()
            )
        }
        held = {
            column.name.lower()
            for each in select.selects
            for column in each.find_all(exp.Column)
        }
        for source in scope.sources.values():
            held |= _yields(source, columns)
        for clause in CLAUSES:
            node = select.args.get(clause)
            named = node.find_all(exp.Column) if node else ()
            found += [
                f"{clause} by {column.name}"
                for column in named
                if not column.table and column.name.lower() in aliases & held
            ]
    return found


def _yields(source: object, columns: Mapping[str, set[str]]) -> set[str]:
    if isinstance(source, exp.Table):
        return columns.get(source.name.lower(), set())
    if not isinstance(source, Scope) or not isinstance(source.expression, exp.Query):
        return set()
    names = {name.lower() for name in source.expression.named_selects}
    if "*" in names:
        for inner in source.sources.values():
            names |= _yields(inner, columns)
    return names
