"""Compare: row-level differences between the published tables of two files.

Values are compared by `is not distinct from`: a null is equal to a null, NaN to NaN,
-0.0 to 0.0. Widths of whole numbers may differ between engines and are not compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import duckdb

from reelhouse.engines.duckdb.connection import (
    UnreadableWarehouse,
    connect,
    identifier,
    literal,
)
from reelhouse.engines.warehouse import Ask
from reelhouse.errors import ReelhouseError

EXAMPLES = 3
WHOLE_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
Method = Literal["rows", "construction", "none"]
Row = dict[str, object]


@dataclass(frozen=True)
class ColumnDifference:
    """A column's types on either side; None if a side does not have the column."""

    column: str
    left: str | None
    right: str | None


@dataclass(frozen=True)
class Change:
    """The two values of a column in rows with the same key."""

    key: Row
    column: str
    left: object
    right: object


@dataclass(frozen=True)
class TableComparison:
    """One table: how its columns and rows differ, with examples.

    Rows are matched by `key`, or as a whole if it is empty: then `only_left` and
    `only_right` count every row that the other side lacks, duplicates too. Row counts
    are None if the table does not exist. `method` is how equality was found:

    - rows: all rows of both sides, exactly;
    - construction: a view with the same definition over equal tables;
    - none: one side has no such table.
    """

    name: str
    left_rows: int | None
    right_rows: int | None
    method: Method = "none"
    key: tuple[str, ...] = ()
    only_left: int = 0
    only_right: int = 0
    changed: int = 0
    changed_columns: dict[str, int] = field(default_factory=dict)
    column_differences: tuple[ColumnDifference, ...] = ()
    is_reordered: bool = False
    ignored_columns: tuple[str, ...] = ()
    left_examples: tuple[Row, ...] = ()
    right_examples: tuple[Row, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def is_equal(self) -> bool:
        return self.method != "none" and not (
            self.only_left
            or self.only_right
            or self.changed
            or self.column_differences
            or self.is_reordered
        )


@dataclass(frozen=True)
class Comparison:
    """All tables that either side has, by name."""

    tables: list[TableComparison]

    @property
    def is_equal(self) -> bool:
        return all(table.is_equal for table in self.tables)


@dataclass(frozen=True)
class _Published:
    """What a file records about one of its tables."""

    kind: str
    ignored_columns: tuple[str, ...]
    key_columns: tuple[str, ...]


def compare(left: Path, right: Path) -> Comparison:
    """Compare every published table, except for columns that a side ignores.

    Raises ReelhouseError if a side is not a published file.
    """
    for path in (left, right):
        if not path.is_file():  # reading a pipe would never end
            what = "is not a file" if path.exists() else "does not exist"
            raise ReelhouseError(f"{path} {what}: name a published file, or a target.")
        try:
            connect(path, read_only=True).close()
        except UnreadableWarehouse as error:
            raise ReelhouseError(
                f"{path} {error.problem}, so it cannot be compared: name a published "
                f"file, or a target."
            ) from error
    if left.samefile(right):
        raise ReelhouseError(f"Both sides are {left}: name two published files.")
    with (
        TemporaryDirectory() as scratch,
        closing(connect(Path(":memory:"))) as connection,
    ):

        def ask(question: str) -> list[tuple[Any, ...]]:
            return connection.execute(question).fetchall()

        connection.execute(f"set temp_directory = {literal(scratch)}")
        sides = {
            side: _attach(connection, side, path)
            for side, path in zip(SIDES, (left, right), strict=True)
        }
        connection.execute("set enable_external_access = false")
        return Comparison(_compare_tables(ask, sides["left"], sides["right"]))


def _attach(
    connection: duckdb.DuckDBPyConnection, side: Side, path: Path
) -> dict[str, _Published]:
    """Attach a file under the name of its side; return what it says of its tables."""
    connection.execute(f"attach {literal(path)} as {side}_side (read_only)")
    try:
        rows = connection.execute(
            "select name, kind, ignored_columns, key_columns "
            f"from {side}_side.serving.published_tables"
        ).fetchall()
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise ReelhouseError(
            f"{path} is not a published file: it has no serving.published_tables of "
            f"this version."
        ) from error
    return {
        name: _Published(kind, _listed(ignored), _listed(key))
        for name, kind, ignored, key in rows
    }


def _compare_tables(
    ask: Ask, left: dict[str, _Published], right: dict[str, _Published]
) -> list[TableComparison]:
    """Compare tables first, because views are compared by what they read."""
    kinds = {name: each.kind for name, each in [*left.items(), *right.items()]}
    done: dict[str, TableComparison] = {}
    for name in sorted(kinds, key=lambda name: (kinds[name] == "view", name)):
        try:
            done[name] = _compare_table(
                ask, name, left.get(name), right.get(name), done, kinds.keys()
            )
        except duckdb.Error as error:
            first = str(error).strip().splitlines()[0]
            raise ReelhouseError(
                f"The table {name} cannot be compared ({first}): publish both sides "
                f"again."
            ) from error
    return [done[name] for name in sorted(done)]


def _compare_table(
    ask: Ask,
    name: str,
    left: _Published | None,
    right: _Published | None,
    done: dict[str, TableComparison],
    names: Set[str],
) -> TableComparison:
    if left is None or right is None:
        return TableComparison(
            name,
            None if left is None else _count(ask, "left", name),
            None if right is None else _count(ask, "right", name),
        )
    columns = {side: _columns(ask, side, name) for side in SIDES}
    ignored = tuple(sorted({*left.ignored_columns, *right.ignored_columns}))
    differences = _column_differences(columns["left"], columns["right"])
    unlike = {each.column for each in differences}
    compared = {
        column: data_type
        for column, data_type in columns["left"].items()
        if column not in {*ignored, *unlike}
    }
    table = TableComparison(
        name,
        None,
        None,
        column_differences=differences,
        is_reordered=not differences and [*columns["left"]] != [*columns["right"]],
        ignored_columns=ignored,
    )
    counts = {side: _count(ask, side, name) for side in SIDES}
    table = replace(
        table, left_rows=counts["left"], right_rows=counts["right"], method="rows"
    )
    is_view = "view" in (left.kind, right.kind) and not differences
    if is_view and _are_equal_by_construction(ask, name, done, names):
        return replace(table, method="construction")
    # A key that only one side knows is enough, because it is checked.
    keys = {each.key_columns for each in (left, right) if each.key_columns}
    key = keys.pop() if len(keys) == 1 else ()
    if not compared:
        surplus = counts["left"] - counts["right"]
        return replace(table, only_left=max(surplus, 0), only_right=max(-surplus, 0))
    if not {*key} <= compared.keys():
        key = ()
    # Reading views side by side would hold one of them in memory.
    are_tables = left.kind == right.kind == "table"
    have_as_many = counts["left"] == counts["right"]
    if are_tables and have_as_many and _are_equal_in_order(ask, name, compared):
        return replace(table, key=key)
    by_key = _by_key(ask, table, key, list(compared)) if key else None
    return by_key or _by_whole_rows(ask, table, list(compared))


def _column_differences(
    left: dict[str, str], right: dict[str, str]
) -> tuple[ColumnDifference, ...]:
    return tuple(
        ColumnDifference(column, left.get(column), right.get(column))
        for column in {**left, **right}
        if _logical(left.get(column)) != _logical(right.get(column))
    )


def _are_equal_by_construction(
    ask: Ask, name: str, done: dict[str, TableComparison], names: Set[str]
) -> bool:
    """Whether a view has the same definition on both sides, over equal tables.

    This is enough, since no view of the tree depends on time, chance or row order.
    """
    definitions = [
        ask(
            "select sql from duckdb_views() where schema_name = 'serving' "
            f"and database_name = '{side}_side' and view_name = {literal(name)}"
        )
        for side in SIDES
    ]
    words = {*re.findall(r"\w+", str(definitions))} - {name}
    read = [table for table in done.values() if table.name in words]
    if (
        not definitions[0]
        or definitions[0] != definitions[1]
        or not all(table.is_equal for table in read)
        # A table that is not compared yet proves nothing.
        or not words.isdisjoint(names - done.keys())
    ):
        return False
    # The tables are equal except for these columns. A plan names them if their values
    # can matter; statistics, which know some values beforehand, would hide them.
    ignored = {column for table in read for column in table.ignored_columns}
    ask("set disabled_optimizers = 'statistics_propagation'")
    plans = [ask(f"explain (format json) from {_at(side, name)}") for side in SIDES]
    ask("reset disabled_optimizers")
    return ignored.isdisjoint(re.findall(r"\w+", str(plans)))


def _are_equal_in_order(ask: Ask, name: str, columns: Iterable[str]) -> bool:
    """Whether tables with equally many rows hold the same rows in the same order.

    They often do. This is much cheaper to check than equality in any order, and stops
    at the first row that differs.
    """
    return not ask(
        f"select 1 from {_at('left', name)} as l "
        f"positional join {_at('right', name)} as r "
        f"where {_differ(columns)} limit 1"
    )


def _by_key(
    ask: Ask, table: TableComparison, key: Sequence[str], columns: Sequence[str]
) -> TableComparison | None:
    """Match rows by key; None if the key is null or not unique on a side."""
    others = [column for column in columns if column not in key]
    listed = ", ".join(map(identifier, columns))
    left, right = (
        f'(select {listed}, true as "is there" from {_at(side, table.name)})'
        for side in SIDES
    )
    matched = " and ".join(
        f"l.{identifier(each)} = r.{identifier(each)}" for each in key
    )
    joined = f"{left} as l full join {right} as r on {matched}"
    only_left, only_right = 'r."is there" is null', 'l."is there" is null'
    in_both = '(l."is there" and r."is there")'
    has_null = " or ".join(
        f"coalesce(l.{identifier(each)}, r.{identifier(each)}) is null" for each in key
    )
    ((pairs, lefts, rights, changed, nulls),) = ask(
        "select "
        f"count(*) filter ({in_both}), count(*) filter ({only_left}), "
        f"count(*) filter ({only_right}), "
        f"count(*) filter ({in_both} and ({_differ(others)})), "
        f"count(*) filter ({has_null}) from {joined}"
    )
    # A key that occurs twice makes more pairs than rows.
    if nulls or (pairs + lefts, pairs + rights) != (table.left_rows, table.right_rows):
        return None
    found = replace(
        table, key=tuple(key), only_left=lefts, only_right=rights, changed=changed
    )
    if found.is_equal:
        return found

    def first(values: str, condition: str) -> str:
        by = ", ".join(f"coalesce(l.{identifier(e)}, r.{identifier(e)})" for e in key)
        return f"arg_min({values}, row({by}), {EXAMPLES}) filter ({condition})"

    def counted_and_first(column: str) -> str:
        is_changed = f"{in_both} and ({_differ([column])})"
        value = identifier(column)
        values = f"{{key: {_struct('l', key)}, l: l.{value}, r: r.{value}}}"
        return f"count(*) filter ({is_changed}), {first(values, is_changed)}"

    ((left_examples, right_examples, *cells),) = ask(
        f"select {first(_struct('l', columns), only_left)}, "
        f"{first(_struct('r', columns), only_right)}"
        + "".join(f", {counted_and_first(column)}" for column in others)
        + f" from {joined} where {only_left} or {only_right} or {_differ(others)}"
    )
    counts = dict(zip(others, cells[::2], strict=True))
    examples = [
        (number, Change(each["key"], column, each["l"], each["r"]))
        for column, values in zip(others, cells[1::2], strict=True)
        for number, each in enumerate(values or [])
    ]
    changed_columns = {column: count for column, count in counts.items() if count}
    # Show one example of each column before a second of any.
    examples.sort(key=lambda each: each[0])
    return replace(
        found,
        changed_columns=changed_columns,
        left_examples=tuple(left_examples or ()),
        right_examples=tuple(right_examples or ()),
        changes=tuple(
            change for _, change in examples[: max(EXAMPLES, len(changed_columns))]
        ),
    )


def _by_whole_rows(
    ask: Ask, table: TableComparison, columns: Sequence[str]
) -> TableComparison:
    """Match whole rows, counting duplicates."""
    listed = ", ".join(map(identifier, columns))
    ask(
        "create or replace temporary table differing as "
        f'select {listed}, sum("is left") as "surplus" from ('
        f'select {listed}, 1 as "is left" from {_at("left", table.name)} union all '
        f"select {listed}, -1 from {_at('right', table.name)}"
        ') group by all having "surplus" != 0'
    )
    only: dict[Side, int] = {}
    examples: dict[Side, tuple[Row, ...]] = {}
    for side, sign in zip(SIDES, ("", "-"), strict=True):
        condition = f'{sign}"surplus" > 0'
        ((count,),) = ask(
            f'select coalesce(sum({sign}"surplus"), 0) from differing where {condition}'
        )
        only[side] = int(count)
        examples[side] = tuple(
            dict(zip(columns, row, strict=True))
            for row in ask(
                f"select {listed} from differing where {condition} "
                f"order by all limit {EXAMPLES}"
            )
        )
    ask("drop table differing")
    return replace(
        table,
        only_left=only["left"],
        only_right=only["right"],
        left_examples=examples["left"],
        right_examples=examples["right"],
    )


def _count(ask: Ask, side: Side, name: str) -> int:
    return int(ask(f"select count(*) from {_at(side, name)}")[0][0])


def _columns(ask: Ask, side: Side, name: str) -> dict[str, str]:
    """Columns with their types, in their order."""
    return dict(
        ask(
            "select column_name, data_type from duckdb_columns() "
            f"where database_name = '{side}_side' and schema_name = 'serving' "
            f"and table_name = {literal(name)} order by column_index"
        )
    )


def _logical(data_type: str | None) -> str | None:
    return "BIGINT" if data_type in WHOLE_NUMBERS else data_type


def _listed(names: str) -> tuple[str, ...]:
    return tuple(name for name in names.split(", ") if name)


def _at(side: Side, name: str) -> str:
    return f"{side}_side.serving.{identifier(name)}"


def _differ(columns: Iterable[str]) -> str:
    """SQL: whether the rows l and r differ in one of the columns."""
    return (
        " or ".join(
            f"l.{identifier(each)} is distinct from r.{identifier(each)}"
            for each in columns
        )
        or "false"
    )


def _struct(row: str, columns: Iterable[str]) -> str:
    values = (f"{identifier(each)} := {row}.{identifier(each)}" for each in columns)
    return f"struct_pack({', '.join(values)})"
