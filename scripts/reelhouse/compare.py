"""Compare: row-level differences between the published tables of two files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from reelhouse.engines.duckdb import connect, literal
from reelhouse.errors import ReelhouseError

EXAMPLES = 3


@dataclass(frozen=True)
class TableComparison:
    """One table: rows only on a side (duplicates counted), and examples of each."""

    name: str
    left_rows: int | None
    right_rows: int | None
    only_left: int
    only_right: int
    problem: str | None
    ignored_columns: tuple[str, ...]
    examples: tuple[tuple[str, tuple[object, ...]], ...]

    @property
    def is_equal(self) -> bool:
        return not (self.problem or self.only_left or self.only_right)


@dataclass(frozen=True)
class Comparison:
    """All tables that either side has."""

    tables: list[TableComparison]

    @property
    def is_equal(self) -> bool:
        return all(table.is_equal for table in self.tables)


def compare(left: Path, right: Path) -> Comparison:
    """Compare every published table, but for the columns that a side marks.

    Raises ReelhouseError where a side is not a published file.
    """
    for path in (left, right):
        if not path.exists():
            raise ReelhouseError(f"{path} is not there: name a published file.")
        connect(path, read_only=True).close()
    connection = connect(Path(":memory:"))
    try:
        for path, side in ((left, "l"), (right, "r")):
            connection.execute(f"attach {literal(path)} as {side} (read_only)")
        sides = [
            _tables(connection, side, path)
            for side, path in zip("lr", (left, right), strict=True)
        ]
        names = sorted(sides[0].keys() | sides[1].keys())
        return Comparison(
            [
                _compare_table(connection, name, sides[0].get(name), sides[1].get(name))
                for name in names
            ]
        )
    finally:
        connection.close()


def _tables(
    connection: duckdb.DuckDBPyConnection, side: str, path: Path
) -> dict[str, tuple[str, ...]]:
    """Published names with their ignored columns."""
    try:
        rows = connection.execute(
            f"select name, ignored_columns from {side}.serving.published_tables"
        ).fetchall()
    except duckdb.CatalogException as error:
        raise ReelhouseError(
            f"{path} is not a published file: it has no serving.published_tables."
        ) from error
    return {
        name: tuple(column for column in ignored.split(", ") if column)
        for name, ignored in rows
    }


def _compare_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    left_ignored: tuple[str, ...] | None,
    right_ignored: tuple[str, ...] | None,
) -> TableComparison:
    ignored = tuple(sorted({*(left_ignored or ()), *(right_ignored or ())}))
    counts = [
        None
        if side_ignored is None
        else connection.execute(
            f'select count(*) from {side}.serving."{name}"'
        ).fetchall()[0][0]
        for side, side_ignored in (("l", left_ignored), ("r", right_ignored))
    ]

    def result(
        problem: str | None,
        only: list[int],
        examples: list[tuple[str, tuple[object, ...]]],
    ) -> TableComparison:
        return TableComparison(
            name,
            counts[0],
            counts[1],
            only[0],
            only[1],
            problem,
            ignored,
            tuple(examples),
        )

    if left_ignored is None or right_ignored is None:
        side = "right" if left_ignored is None else "left"
        return result(f"only on the {side}", [0, 0], [])
    columns = [_columns(connection, side, name) for side in "lr"]
    if columns[0] != columns[1]:
        differing = set(columns[0].items()) ^ set(columns[1].items())
        named = ", ".join(sorted({column for column, _ in differing})) or "their order"
        return result(f"columns differ: {named}", [0, 0], [])
    kept = ", ".join(f'"{c}"' for c in columns[0] if c not in ignored)
    only, examples = [], []
    for this, other, label in (("l", "r", "left"), ("r", "l", "right")):
        difference = (
            f'select {kept} from {this}.serving."{name}" except all '
            f'select {kept} from {other}.serving."{name}"'
        )
        only.append(
            connection.execute(f"select count(*) from ({difference})").fetchall()[0][0]
        )
        if only[-1]:
            rows = connection.execute(
                f"select * from ({difference}) order by all limit {EXAMPLES}"
            ).fetchall()
            examples += [(label, row) for row in rows]
    return result(None, only, examples)


def _columns(
    connection: duckdb.DuckDBPyConnection, side: str, name: str
) -> dict[str, str]:
    rows = connection.execute(
        "select column_name, data_type from duckdb_columns() where database_name = ? "
        "and schema_name = 'serving' and table_name = ? order by column_index",
        [side, name],
    ).fetchall()
    # How wide whole numbers are is an engine's own affair.
    return {
        column: "BIGINT" if data_type == "INTEGER" else data_type
        for column, data_type in rows
    }
