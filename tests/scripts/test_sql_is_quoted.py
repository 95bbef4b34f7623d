"""SQL holds no value that is not quoted.

Looked at is what is executed, and every f-string that reads like SQL, for it may become
a part of that. Each of its parts is a text of the code, a number, or what a quoting
function gave; or it stands below with the reason why it is safe.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from reelhouse.settings import PROJECT

PACKAGE = PROJECT / "scripts/reelhouse"
EXECUTING = {
    *("execute", "executemany", "sql", "ask"),
    *("_run", "_rows", "_row", "_change", "_count"),
}
READS_LIKE_SQL = re.compile(
    r"\b(select|from|where|insert into|update|delete from|create|attach|copy|cast|"
    r"alter|drop|in \(|order by|group by|join|comment|grant|revoke|case|when|set|"
    r"is distinct|is not null|clone|row_number|coalesce|between|put|as)\b[ (]"
)
QUOTING = {"identifier", "literal", "path_literal", "quoted", "_quoted"}
NUMERIC = {"int", "len", "ord", "range"}
NUMBERS = {"int", "float", "bool", "None", "Side"}
# What they give holds nothing that their texts and arguments did not hold.
KEEPING = {"join", "items", "values", "str", "sorted", "upper", "lower", "enumerate"}

# What they are called with is for people to read.
TELLING = {"ReelhouseError", "tell", "progress"}

Function = ast.FunctionDef | ast.Lambda


class Module:
    """A module, and what its names stand for."""

    def __init__(self, source: str, numeric_fields: set[str]) -> None:
        self.tree = ast.parse(source)
        self.numeric_fields = numeric_fields
        self.parents = {
            child: parent
            for parent in ast.walk(self.tree)
            for child in ast.iter_child_nodes(parent)
        }
        self.bindings: dict[ast.AST, dict[str, list[ast.expr]]] = {}
        # What each function gives.
        self.functions: dict[str, list[ast.expr]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Return | ast.Yield) and node.value:
                function = self.function(node)
                if isinstance(function, ast.FunctionDef):
                    of = self.functions.setdefault(function.name, [])
                    if not _is_number(function.returns):
                        of.append(node.value)

    def unsafe(self) -> set[str]:
        """Parts of SQL that are not known to be safe."""
        return {
            _shown(part)
            for statement in self.statements()
            for part in self.parts(statement, frozenset())
        }

    def executes(self) -> bool:
        return any(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"execute", "executemany"}
            for node in ast.walk(self.tree)
        )

    def function(self, node: ast.AST) -> Function | None:
        while parent := self.parents.get(node):
            if isinstance(parent, Function):
                return parent
            node = parent
        return None

    def statements(self) -> Iterator[ast.expr]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and _name(node) in EXECUTING and node.args:
                yield node.args[0]
            elif isinstance(node, ast.JoinedStr) and self.reads_like_sql(node):
                yield node

    def reads_like_sql(self, node: ast.JoinedStr) -> bool:
        text = "".join(
            str(each.value) if isinstance(each, ast.Constant) else "x"
            for each in node.values
        )
        if not READS_LIKE_SQL.search(text):
            return False
        # Sentences for people, and patterns that SQL is recognised by.
        around: ast.AST | None = node
        while around := self.parents.get(around) if around else None:
            if isinstance(around, ast.Raise | ast.FormattedValue):
                return False
            if isinstance(around, ast.Call) and _name(around) in TELLING:
                return False
            if isinstance(around, ast.stmt):
                break
        return not re.search(r"\(\?P?[<:]|\(\?!", text)

    def parts(self, node: ast.AST | None, seen: frozenset[ast.AST]) -> list[ast.AST]:
        """What of an expression is not known to be safe."""
        if node is None or node in seen:
            return []
        seen |= {node}

        def of(*nodes: ast.AST | None) -> list[ast.AST]:
            return [part for each in nodes for part in self.parts(each, seen)]

        match node:
            case ast.Constant() | ast.Compare() | ast.UnaryOp():
                return []
            case ast.JoinedStr() | ast.BoolOp():
                return of(*node.values)
            case ast.FormattedValue() | ast.Starred() | ast.Subscript():
                return of(node.value)
            case ast.BinOp():
                return of(node.left, node.right)
            case ast.IfExp():
                return of(node.body, node.orelse)
            case ast.List() | ast.Tuple() | ast.Set():
                return of(*node.elts)
            case ast.Dict():
                return of(*node.keys, *node.values)
            case ast.GeneratorExp() | ast.ListComp() | ast.SetComp():
                return of(node.elt)
            case ast.Call():
                name = _name(node)
                if name in QUOTING | NUMERIC:
                    return []
                if name == "map" and ast.unparse(node.args[0]) in QUOTING:
                    return []
                if ast.unparse(node.func).removeprefix("self.") in self.functions:
                    return of(*self.functions[name])
                if name in KEEPING:
                    on = (
                        node.func.value
                        if isinstance(node.func, ast.Attribute)
                        else None
                    )
                    return of(on, *node.args)
            case ast.Attribute() if node.attr in self.numeric_fields:
                return []
            case ast.Name() if node.id.isupper():
                return []
            case ast.Name():
                values = self.values(node)
                return [node] if values is None else of(*values)
        return [node]

    def values(self, name: ast.Name) -> list[ast.expr] | None:
        """What a name may stand for; nothing for a number, None for what is unknown."""
        scope: ast.AST | None = name
        while scope := self.parents.get(scope) if scope else None:
            if not isinstance(scope, Function | ast.Module):
                continue
            for argument in [] if isinstance(scope, ast.Module) else _arguments(scope):
                if argument.arg == name.id:
                    return [] if _is_number(argument.annotation) else None
            if scope not in self.bindings:
                self.bindings[scope] = _bindings(scope)
            if name.id in self.bindings[scope]:
                return self.bindings[scope][name.id]
        return None


def _shown(node: ast.AST) -> str:
    """An expression without what it is called with."""
    match node:
        case ast.Call():
            return f"{_shown(node.func)}(…)"
        case ast.Attribute():
            return f"{_shown(node.value)}.{node.attr}"
        case ast.Subscript():
            return f"{_shown(node.value)}[…]"
        case ast.DictComp():
            return "{…}"
    return ast.unparse(node)


def _name(call: ast.Call) -> str:
    """The bare name of what is called."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return ast.unparse(call.func)


def _arguments(function: Function) -> list[ast.arg]:
    of = function.args
    return [*of.posonlyargs, *of.args, *of.kwonlyargs]


def _is_number(annotation: ast.expr | None) -> bool:
    return (
        annotation is not None
        and {part.strip() for part in ast.unparse(annotation).split("|")} <= NUMBERS
    )


def _bindings(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """What names of a function or module are bound to, by assignment or by a loop."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=[target], value=value):
                pass
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                pass
            case ast.AugAssign(target=target, value=value):
                pass
            case ast.NamedExpr(target=target, value=value):
                pass
            case ast.For(target=target, iter=value):
                pass
            case ast.comprehension(target=target, iter=value):
                pass
            case ast.Call(
                func=ast.Attribute(value=ast.Name() as target, attr="append"),
                args=[value],
            ):
                pass
            case _:
                continue
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=True))
        for each, own in pairs:
            for name in ast.walk(each):
                if isinstance(name, ast.Name):
                    found.setdefault(name.id, []).append(own)
    return found


def numeric_fields(sources: dict[str, str]) -> set[str]:
    """Fields of the package's classes that are numbers, whichever class has them."""
    fields: dict[str, list[bool]] = {}
    for source in sources.values():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                for each in node.body:
                    if isinstance(each, ast.AnnAssign):
                        name = ast.unparse(each.target)
                        fields.setdefault(name, []).append(_is_number(each.annotation))
    return {name for name, are_numbers in fields.items() if all(are_numbers)}


def unsafe(sources: dict[str, str]) -> set[tuple[str, str]]:
    """Module and text of each part of SQL that is not known to be safe."""
    numbers = numeric_fields(sources)
    modules = {name: Module(text, numbers) for name, text in sources.items()}
    return {
        (name, part)
        for name, module in modules.items()
        if name in BUILDING or module.executes()
        for part in module.unsafe()
    }


def test_sql_is_made_of_nothing_that_is_not_quoted() -> None:
    allowed = {
        (module, part)
        for places in ALLOWED.values()
        for module, parts in places.items()
        for part in parts
    }
    found = unsafe(sources())
    assert sorted(found - allowed) == []
    assert sorted(allowed - found) == [], "these are there no more"


QUERY = "def ask(connection, name: str, number: int) -> None:\n    "


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ('connection.execute(f"select * from {name}")', "name"),
        ('connection.execute("select * from " + name)', "name"),
        ('connection.execute("select * from %s" % name)', "name"),
        ('connection.execute("select * from {}".format(name))', ".format(…)"),
        ('where = f"x = {name}"; connection.execute(f"from y where {where}")', "name"),
        ('parts = []; parts.append(name); connection.execute(" ".join(parts))', "name"),
        ('connection.execute(f"set x = {number}")', ""),
        ('connection.execute(f"set x = {literal(name)}")', ""),
        ('connection.execute(", ".join(map(identifier, name)))', ""),
        ('connection.execute("from x where y = ?", [name])', ""),
    ],
)
def test_a_part_that_is_not_quoted_is_found(body: str, part: str) -> None:
    found = unsafe({"made.py": QUERY + body.replace("; ", "\n    ")})
    assert len(found) == bool(part)
    assert all(each.endswith(part) for _, each in found)


def sources() -> dict[str, str]:
    """The package's modules, but for the emulator.

    That runs whatever its client says, in a memory of its own, and has names quoted by
    `Name.sql`.
    """
    return {
        name: path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
        if not (name := path.relative_to(PACKAGE).as_posix()).startswith("emulator/")
    }


# Modules that build SQL and execute none.
BUILDING = {
    *("rules.py", "metrics.py", "dashboard/filters.py", "dashboard/questions.py"),
    *("engines/shape.py", "state.py"),
}

# Why a part is safe, and where it stands.
ALLOWED: dict[str, dict[str, tuple[str, ...]]] = {
    "Names and types of the contract and the ledger, which are files of the tree.": {
        "engines/duckdb.py": (
            *("LedgerEntry.__dataclass_fields__", "column.data_type", "column.name"),
            *("data_type", "entity.name", "list(…)", "table.name"),
            "{…}",
        ),
        "engines/snowflake.py": (
            *("column.data_type", "column.name", "data_type", "entity.key"),
            *("entity.name", "table.name", "self.dialect.try_cast(…)"),
        ),
        "engines/shape.py": (
            *("FORMER.get(…)", "column.name", "data_type(…)", "dialect.try_cast(…)"),
            *("options", "table.name", "value"),
        ),
    },
    "What engines/shape.py makes, where it is looked at.": {
        "engines/duckdb.py": (
            *(
                "shape.definitions(…)",
                "shape.OF_LOADS",
                "shape.newest_load(…)",
                "shape.reshaping(…)",
            ),
        ),
        "engines/snowflake.py": (
            *(
                "shape.definitions(…)",
                "shape.OF_LOADS",
                "shape.newest_load(…)",
                "shape.reshaping(…)",
            ),
        ),
    },
    "Conditions that `rules.py` makes of the contract; values of a file are no part.": {
        "engines/duckdb.py": ("rule.condition", "text", "value"),
        "engines/snowflake.py": ("rule.condition", "text", "value"),
    },
    "What fills a column: a literal, a number, or the column's own name.": {
        "engines/duckdb.py": ("values.get(…)",),
        "engines/snowflake.py": ("values.get(…)",),
    },
    "Aliases and pieces that the callers in the module write out.": {
        "backup.py": ("relation", "rows"),
        "compare.py": ("condition", "values", "zip(…)"),
        "dashboard/filters.py": ("movie_id",),
        "dashboard/questions.py": ("condition", "names"),
        "engines/duckdb.py": ("quote",),
        "engines/snowflake.py": (
            *("alias", "incoming", "left", "right"),
            "FILE_FORMAT.format(…)",
        ),
        "engines/snowflake_run.py": ("descriptions(…)", "schema"),
        "export.py": ("column",),
        "publish.py": ("ask(…)", "piece.kind", "relation", "schema"),
    },
    "Types as the engine that is asked again has named them.": {
        "backup.py": (
            "columns",
            "connection.execute(…).fetchall(…)",
            "hashlib.sha256(…).hexdigest(…)",
        ),
        "publish.py": ("connection.execute(…).fetchall(…)",),
    },
    "Columns that are quoted where they are put together.": {
        "compare.py": ("columns",),
    },
    "Conditions that `dashboard/filters.py` makes, of literals and numbers.": {
        "dashboard/questions.py": (*("filters.condition(…)", "others.condition(…)"),),
    },
    "Definitions of models/_metrics.yml, a file of the tree.": {
        "dashboard/questions.py": ("metrics(…)[…].sql", "metrics(…)[…].table"),
        "metrics.py": (
            *("each.column", "each.operator", "self.columns", "self.name"),
            *("self.denominator.sql", "self.numerator.sql", "self.sql", "self.table"),
        ),
    },
    "The text of a view of the warehouse, made anew.": {
        "engines/snowflake_run.py": ("piece.view.text",),
        "publish.py": ("view.text",),
    },
    "Names of an account's own tables, which dbt and the loader have made: who may "
    "make others in these schemas may do all that the statements do.": {
        "engines/snowflake_run.py": (
            *("columns", "measures(…)", "name", "name.partition(…)"),
            *("piece.name", "snapshots", "self._run(…).fetchall(…)"),
            *("account.ask(…)", "names", "{…}"),
        ),
    },
    "Names of files that the loader has given, their path escaped as PUT wants it; a "
    "key of the bucket only where it has no character to be quoted; a stage whose name "
    "the settings have checked.": {
        "engines/snowflake.py": (
            *("csv_file.path.name", "key.rpartition(…)", "self.bucket", "self.place"),
            "str(…).replace(…).replace(…)",
        ),
    },
    "A ledger row by the names of its fields; its values are literals.": {
        "engines/snowflake.py": ("vars(…)",),
    },
    "Names of the dbt tree, as dbt has them.": {
        "state.py": (
            *("Row(…)", "ask(…)", "schema", "nodes[…].name", "table"),
            *("tree", "tree.nodes"),
            *("tree.relation_shapes_sql", "tree.source_versions_sql"),
        ),
    },
    "Statements that dbt has run, or that a file of the package holds, run again.": {
        "bench/budget.py": ("statement.sql",),
        "bench/contenders.py": ("statement.sql", "steps_of(…)"),
    },
    "What executes a statement of its caller, which is looked at there.": {
        "compare.py": ("ask", "question"),
        "dashboard/serving.py": ("questions", "sql"),
        "engines/duckdb.py": ("query", "question"),
        "engines/snowflake.py": ("sql",),
        "engines/snowflake_run.py": ("sql",),
        "publish.py": ("connection",),
    },
    "The user's own question, of which one select is taken.": {
        "engines/snowflake_run.py": ("question",),
        "query.py": ("connection.extract_statements(…)",),
    },
    "Statements of the set-up's files, whose variables are checked before.": {
        "snowflake_setup.py": ("{…}",),
    },
    "No SQL: messages, and a load that is begun.": {
        "engines/duckdb.py": ("path", "problem"),
        "load.py": (
            *("first.setdefault(…)", "scratch"),
            "states",
        ),
    },
}
