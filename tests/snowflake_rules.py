"""Rules for every statement that is sent to a Snowflake account.

A name that is on no list here has not been looked up in Snowflake's reference: look it
up, then add it. Engines that imitate Snowflake accept much that it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

# Functions of Snowflake that compiled SQL may call, and words before a bracket.
FUNCTION_NAMES = """
    abs cast chr coalesce count count_if date_trunc dateadd datediff dayofweekiso
    extract flatten floor greatest lag lead least left length listagg lower max
    max_by md5 min mod nullif over percent_rank power rank regexp_like
    regexp_replace replace right row_number rtrim split split_part sqrt substr sum
    to_timestamp_ntz translate trim try_cast upper
"""
# Functions that depend on the session: statements may call them, models may not.
OF_SESSION = {"convert_timezone", "current_database", "current_timestamp"}
OTHER_WORDS = """
    and as by decimal distinct exists from group if in insert into join not on or
    select then using values when where
"""
FUNCTIONS = set(FUNCTION_NAMES.split())
WORDS = set(OTHER_WORDS.split())
# Functions that Snowflake lacks or that mean something else there.
DENIED = {
    "arg_max": "max_by",
    "arg_min": "min_by",
    "bool_and": "booland_agg",
    "bool_or": "boolor_agg",
    "concat": "||, since the engines treat null in concat differently",
    "date_diff": "datediff",
    "epoch": "date_part(epoch_second, …)",
    "epoch_ms": "to_timestamp_ntz",
    "format": "||",
    "generate_series": "dbt.generate_series",
    "instr": "position",
    "isodow": "dayofweekiso",
    "len": "length",
    "list": "array_agg",
    "list_aggregate": "a flattened array",
    "list_contains": "array_contains",
    "list_transform": "a flattened array",
    "list_value": "array_construct",
    "make_date": "date_from_parts",
    "make_timestamp": "to_timestamp_ntz",
    "printf": "||",
    "quantile_cont": "percentile_cont",
    "range": "dbt.generate_series",
    "read_csv": "the loader",
    "regexp_extract": "regexp_substr",
    "regexp_full_match": "regexp_like",
    "regexp_matches": "regexp_like",
    "starts_with": "startswith",
    "strftime": "to_varchar",
    "string_agg": "listagg",
    "string_split": "split",
    "string_to_array": "split",
    "strpos": "position",
    "strptime": "to_timestamp_ntz",
    "struct_pack": "object_construct",
    "to_timestamp": "to_timestamp_ntz, which no session setting changes",
    "unnest": "lateral flatten",
}
FORMS = {
    r"//": "// is a comment there: use floor of a quotient",
    r"\bfilter\s*\(": "an aggregate has no filter there: use case inside it",
    r"\bfrom\s+range\b": "there is no table function range",
    r",\s*(from|where|group|order|having|qualify)\b": "a comma before a clause",
    r",\s*\)": "a comma before a bracket",
    r"\b(semi|anti|positional|asof)\s+join\b": "there is no such join",
    r"\bunion\s+(all\s+)?by\s+name\b": "union matches columns by position",
    r"\bcolumns\s*\(": "there is no columns(…)",
    r"->>?\s*'": "JSON is read by path there",
    r"\[\s*\d*\s*:": "arrays have no slices",
    r"\blambda\b|\b\w+\s*->": "there are no such lambdas",
    r"\busing\s+sample\b": "sample stands after the table there",
    r"\be'": "there are no escape strings",
    r"\bdistinct\s+on\b": "there is no distinct on: use qualify",
    r"\bnatural\s+full\b": "there is no natural full join",
}
TYPES = {
    *("BIGINT", "BOOLEAN", "DATE", "DECIMAL", "DOUBLE", "INT"),
    *("DATETIME", "TEXT", "TIMESTAMPNTZ", "VARCHAR"),
}
# Snowflake's reserved words: none of them can be an unquoted name.
RESERVED_WORDS = """
    account all alter and any as asof between by case cast check column connect
    connection constraint create cross current current_date current_time
    current_timestamp current_user database delete distinct drop else exists false
    following for from full grant group gscluster having ilike in increment inner
    insert intersect into is issue join lateral left like localtime localtimestamp
    match_condition minus natural not null of on or order organization qualify
    regexp revoke right rlike row rows sample schema select set some start table
    tablesample then to trigger true try_cast union unique update using values view
    when whenever where with
"""
RESERVED = set(RESERVED_WORDS.split())
# A string literal in any of its notations.
LITERAL = r"'(?:[^'\\]|\\.|'')*'|\$\$.*?\$\$"
TEMPORAL = (
    *(exp.DType.DATE, exp.DType.DATETIME, exp.DType.TIMESTAMP),
    *(exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPLTZ),
)
# Names of columns with dates or times.
TIME_NAME = re.compile(r"(_at|_date|_from|_to|^month|^moment|_month|_day)$", re.I)
DDL = {"create", "alter", "drop", "undrop", "comment", "grant", "revoke"}


def faults(sql: str, columns: Mapping[str, set[str]] | None = None) -> list[str]:
    """Return what Snowflake would refuse or read differently in a query or statement.

    `columns` maps names of relations to names of their columns, in lower case.
    """
    found = []
    if any("\\" in literal for literal in re.findall(r"'(?:[^']|'')*'", sql)):
        found.append("a backslash in a literal escapes what follows there")
    return found + _faults(sql, FUNCTIONS, columns or {})


def sent_faults(sql: str, columns: Mapping[str, set[str]] | None = None) -> list[str]:
    """Return the faults of a statement as sent, and where session settings change it.

    The sender has doubled the backslashes.
    """
    found = _faults(sql, FUNCTIONS | OF_SESSION, columns or {})
    for tree in filter(None, _parsed(sql)):
        found += [each for form in SETTINGS for each in form(tree)]
    return found


def _faults(
    sql: str, functions: set[str], columns: Mapping[str, set[str]]
) -> list[str]:
    found = []
    bare = re.sub(
        rf"{LITERAL}|--[^\n]*|/\*.*?\*/", _blank, sql, flags=re.DOTALL
    ).lower()
    for name in sorted(set(re.findall(r"\b([a-z_]\w*)\s*\(", bare))):
        if name in DENIED:
            found.append(f"{name}(: use {DENIED[name]}")
        elif name not in functions | WORDS and not is_defined(name, bare):
            found.append(f"{name}( is not known to be a function of Snowflake")
    found += [f"{why}" for form, why in FORMS.items() if re.search(form, bare)]
    try:
        trees = sqlglot.parse(sql, read="snowflake")
    except sqlglot.errors.SqlglotError as error:
        return [*found, str(error).splitlines()[0]]
    for tree in filter(None, trees):
        found += shadowed(tree, columns)
        for kind in tree.find_all(exp.DataType):
            if kind.this.name not in TYPES:
                found.append(f"{kind.this.name} is not known to be a type there")
        for name_node in tree.find_all(exp.Identifier):
            name = name_node.name.lower()
            if name in RESERVED and not name_node.quoted:
                found.append(f"{name} is a reserved word there")
    return found


def _blank(found: re.Match[str]) -> str:
    """Replace a comment with a space and a literal with an empty string."""
    return "''" if found[0].startswith(("'", "$")) else " "


def _parsed(sql: str) -> list[exp.Expr | None]:
    try:
        return sqlglot.parse(sql, read="snowflake")
    except sqlglot.errors.SqlglotError:
        return []


def _weeks(tree: exp.Expr) -> Iterable[str]:
    """Find weeks that depend on WEEK_START, unlike those of ISO 8601."""
    for node in tree.find_all(exp.Func):
        words = {each.name.lower() for each in node.find_all(exp.Var, exp.Literal)}
        is_week = isinstance(node, (exp.Week, exp.DayOfWeek)) or "week" in words
        if is_week and not isinstance(node, exp.Case):
            yield f"{node.sql()} depends on WEEK_START"


def _times(tree: exp.Expr) -> Iterable[str]:
    """Find times that formats such as TIMESTAMP_NTZ_OUTPUT_FORMAT turn into text."""
    for node in tree.find_all(exp.Cast, exp.DPipe):
        if isinstance(node, exp.Cast) and not node.is_type(*exp.DataType.TEXT_TYPES):
            continue
        for part in (node.args.get("this"), node.args.get("expression")):
            is_cast = isinstance(part, exp.Cast) and part.is_type(*TEMPORAL)
            is_column = isinstance(part, exp.Column) and TIME_NAME.search(part.name)
            if is_cast or is_column:
                yield f"{node.sql()} depends on how a session writes times"


def _names(tree: exp.Expr) -> Iterable[str]:
    """Find names in quotes that QUOTED_IDENTIFIERS_IGNORE_CASE would change.

    The case of a column heading that a person reads does not matter, and dbt puts its
    temporary names in quotes wherever it uses them.
    """
    for node in tree.find_all(exp.Identifier):
        is_heading = isinstance(node.parent, exp.Alias) and (
            node.parent.parent is tree.root()
        )
        is_upper = node.name.removesuffix("__dbt_tmp").isupper()
        if node.quoted and not (is_upper or is_heading):
            yield f"{node.sql()} depends on QUOTED_IDENTIFIERS_IGNORE_CASE"


SETTINGS = (_weeks, _times, _names)


def committed_by_ddl(statements: Iterable[tuple[int, str]]) -> list[str]:
    """Return DDL sent inside a transaction, which it would commit half finished."""
    found, open_in = [], set()
    for session, text in statements:
        words = text.lower().split(maxsplit=2)
        if words[0] == "begin":
            open_in.add(session)
        elif words[0] in {"commit", "rollback"}:
            open_in.discard(session)
        elif session in open_in and words[0] in DDL:
            found.append(text)
    return found


def assert_sent_well(statements: list[tuple[int, str]]) -> None:
    """Check that no statement sent to an account breaks a rule."""
    assert committed_by_ddl(statements) == []
    texts = {text for _, text in statements if not text.startswith("login as ")}
    found = {text: sent_faults(text) for text in texts}
    assert {text: each for text, each in found.items() if each} == {}


def is_defined(name: str, sql: str) -> bool:
    """Whether a name before a bracket is a table followed by a list of its columns."""
    return bool(re.search(rf"\b(as|into|exists|table|view)\s+[\w.]*\b{name}\s*\(", sql))


# Clauses where Snowflake prefers the name of a column to an alias.
CLAUSES = ("order", "having", "qualify")


def shadowed(tree: exp.Expr, columns: Mapping[str, set[str]]) -> list[str]:
    """Return aliases used in a clause although a source has a column of that name.

    The column wins there, so rows come in another order, or other rows are kept.
    `columns` maps names of relations to names of their columns, in lower case.
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
