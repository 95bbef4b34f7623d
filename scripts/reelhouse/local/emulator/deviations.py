"""Helpers of the functions that make the emulator deviate from stock fakesnow.

Each deviation is a function whose docstring begins with its number, such as D1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlglot import Expr, exp

from reelhouse.engines.duckdb.connection import identifier, literal

DONE = "select 'Statement executed successfully.' as status"

_PIECE = re.compile(
    r"""(?P<skipped>(?:\s|--[^\n]*|//[^\n]*|/\*.*?\*/)+)
    | '(?:[^'\\]|\\.|'')*' | \$\$.*?\$\$ | "(?:[^"]|"")*" | .""",
    re.VERBOSE | re.DOTALL,
)
_PART = r'(?:"(?:[^"]|"")*"|[\w$]+)'
NAME = rf"{_PART}(?:\s?\.\s?{_PART})*"


class NotEmulated(Exception):
    """Something that Snowflake does and the emulator does not; the text names it."""


class Name(NamedTuple):
    """A full name as Snowflake stores it: in capitals unless it was quoted."""

    database: str
    schema: str
    name: str

    @property
    def sql(self) -> str:
        return ".".join(identifier(part) for part in self)

    def __str__(self) -> str:
        return ".".join(self)


def plain(sql: str) -> str:
    """Remove comments and extra spaces from a statement; leave quoted text as it is."""
    text = _PIECE.sub(lambda piece: " " if piece["skipped"] else piece[0], sql)
    return text.strip("; ")


def matched(pattern: str, text: str) -> re.Match[str] | None:
    """Match a pattern with a whole statement that `plain` returned, in any case."""
    return re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL)


def full_name(
    text: str, database: str | None, schema: str | None, level: int = 3
) -> Name:
    """Complete a name from SQL; `level` is 3 for a table, 2 a schema, 1 a database."""
    parts = [_stored(part) for part in re.findall(_PART, text)]
    whole = [database or "", schema or ""][: max(0, level - len(parts))] + parts
    return Name(*[*whole, "", ""][:3])


def name_of(table: exp.Table, database: str | None, schema: str | None) -> Name:
    """The full name of a table expression."""

    def part(key: str, default: str | None) -> str:
        node = table.args.get(key)
        if not isinstance(node, exp.Identifier):
            return default or ""
        return node.name if node.quoted else node.name.upper()

    return Name(part("catalog", database), part("db", schema), part("this", ""))


def _stored(part: str) -> str:
    if part.startswith('"'):
        return part[1:-1].replace('""', '"')
    return part.upper()


def answer(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """SQL that yields these rows."""
    names = ", ".join(identifier(column) for column in columns)
    values = [f"({', '.join(literal(value) for value in row)})" for row in rows]
    if not values:
        nothing = ", ".join(
            f"cast(null as varchar) as {identifier(column)}" for column in columns
        )
        return f"select {nothing} where false"
    return f"select * from (values {', '.join(values)}) as answer ({names})"


def text_of(node: Expr | None) -> str | None:
    """The text of a literal, however it was quoted."""
    return node.name if isinstance(node, (exp.Literal, exp.RawString)) else None
