"""The longest text that each column may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snowflake.connector import errors
from sqlglot import Expr, exp
from sqlglot.optimizer.scope import Scope, build_scope

from reelhouse.engines.duckdb.connection import identifier
from reelhouse.local.emulator.deviations import name_of

if TYPE_CHECKING:
    from reelhouse.local.emulator.session import Session

# Types whose length limits a text.
_TEXTS = {exp.DType.VARCHAR, exp.DType.CHAR, exp.DType.TEXT, exp.DType.NVARCHAR}


def check_widths(session: Session, expression: Expr) -> None:
    """D26: Refuse a text that is longer than its column, after INSERT and the like.

    Stock fakesnow accepts any. Snowflake refuses a text that is longer than the column
    was declared; a column that CREATE TABLE AS creates from literals is as long as the
    longest of them. So do we.
    """
    table = expression.find(exp.Table)
    assert table
    name = name_of(table, session.database, session.schema)
    for column, width in session.account.widths.get(name, {}).items():
        found = session.duck.execute(
            f"select {identifier(column)} from {name.sql} "
            f"where length({identifier(column)}) > {width} limit 1"
        ).fetchone()
        if found:
            raise errors.ProgrammingError(
                f"String '{found[0]}' is too long and would be truncated: column "
                f"{column} is VARCHAR({width})",
                100078,
                "22000",
            )


def widths_of(session: Session, create: exp.Create) -> dict[str, int]:
    """Return the width of each column that a CREATE TABLE gives a limit."""
    if isinstance(create.this, exp.Schema):
        declared = {
            _stored(column.this): _declared(column.args.get("kind"))
            for column in create.this.find_all(exp.ColumnDef)
        }
    else:
        query = create.expression
        scope = build_scope(query.unnest()) if isinstance(query, exp.Query) else None
        declared = _Widths(session).selected(scope) if scope else {}
    return {name: width for name, width in declared.items() if width is not None}


def _declared(data_type: Expr | None) -> int | None:
    if not isinstance(data_type, exp.DataType) or data_type.this not in _TEXTS:
        return None
    return int(data_type.expressions[0].name) if data_type.expressions else None


class _Widths:
    """The widths of the columns that a query and its subqueries return."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.known: dict[int, dict[str, int | None]] = {}

    def selected(self, scope: Scope) -> dict[str, int | None]:
        """Return the width of each column that a query returns, None for no limit."""
        if id(scope) not in self.known:
            self.known[id(scope)] = self._selected(scope)
        return self.known[id(scope)]

    def _selected(self, scope: Scope) -> dict[str, int | None]:
        if scope.set_operation_scopes:
            left, right = map(self.selected, scope.set_operation_scopes)
            pairs = zip(left.items(), right.values(), strict=False)
            return {name: _longest([one, other]) for (name, one), other in pairs}
        widths: dict[str, int | None] = {}
        if not isinstance(scope.expression, exp.Query):
            return widths
        for each in scope.expression.selects:
            if each.is_star:
                for source in scope.sources.values():
                    widths |= self._of_source(source)
            else:
                name = each.args.get("alias") or each
                widths[_stored(name)] = self._width(scope, each)
        return widths

    def _of_source(self, source: Scope | Expr | None) -> dict[str, int | None]:
        if isinstance(source, Scope):
            return self.selected(source)
        if not isinstance(source, exp.Table):
            return {}
        if id(source) not in self.known:
            name = name_of(source, self.session.database, self.session.schema)
            self.known[id(source)] = dict(self.session.account.widths.get(name, {}))
        return self.known[id(source)]

    def _width(self, scope: Scope, node: Expr | None) -> int | None:
        """Return the longest text that an expression can return, None for no limit."""

        def longest(*nodes: Expr | None) -> int | None:
            return _longest([self._width(scope, each) for each in nodes])

        match node:
            case None | exp.Null():
                return 0
            case exp.Literal(is_string=True):
                return len(node.name)
            case exp.Cast():
                return _declared(node.to)
            case exp.Case():
                branches = [each.args["true"] for each in node.args["ifs"]]
                return longest(*branches, node.args.get("default"))
            case exp.If():
                return longest(node.args["true"], node.args.get("false"))
            case exp.Coalesce():
                return longest(node.this, *node.expressions)
            case exp.Alias() | exp.Paren() | exp.Max() | exp.Min():
                return longest(node.this)
            case exp.Column():
                named = scope.sources.get(node.table)
                sources = [named] if named else scope.sources.values()
                name = _stored(node.this)
                found = [self._of_source(source) for source in sources]
                return next((each[name] for each in found if name in each), None)
        return None


def _longest(widths: list[int | None]) -> int | None:
    known = [width for width in widths if width is not None]
    return max(known) if len(known) == len(widths) else None


def _stored(name: Expr) -> str:
    inner = name if isinstance(name, exp.Identifier) else name.this
    if isinstance(inner, exp.Identifier) and not inner.quoted:
        return inner.name.upper()
    return str(inner.name if isinstance(inner, exp.Identifier) else name.name)
