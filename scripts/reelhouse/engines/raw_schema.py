"""Shape: raw tables that are there, brought in line with their declaration.

Engines differ in how they say which columns a table has, and in transactions; what is
to be done about a difference is the same SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reelhouse.contract import Column, Entity, Table, entities, ledger_tables
from reelhouse.engines.warehouse import Dialect
from reelhouse.errors import ReelhouseError

# Types of columns by name, in their order.
Shape = dict[str, str]

# What older rows have in a column that they were written without; in others null.
FORMER = {
    "load_key": "md5(cast(load_id as varchar) || ' ' || cast(loaded_at as varchar))"
}


def tables() -> list[Table]:
    """Every raw table, those of the ledger first."""
    return [*ledger_tables(), *entities().values()]


def definitions(table: Table, data_type: Callable[[Column], str]) -> str:
    """The columns of a table as `create table` takes them."""
    return ", ".join(f"{column.name} {data_type(column)}" for column in table.columns)


def check_values(
    table: Table,
    found: Shape,
    dialect: Dialect,
    count: Callable[[str], int],
    elsewhere: str,
) -> None:
    """Raise ReelhouseError unless all values are the same in the declared types.

    A value is the same if it can be cast and cast back. `elsewhere` says how to get
    another warehouse.
    """
    for column in table.columns:
        former = found.get(column.name, column.data_type)
        if former == column.data_type:
            continue
        back = _cast(_cast(column.name, column.data_type, dialect), former, dialect)
        rows = count(
            f"select count(*) from raw.{table.name} where {column.name} is not null "
            f"and not coalesce({back} = {column.name}, false)"
        )
        if rows:
            raise ReelhouseError(
                f"{column.name} in raw.{table.name} cannot become {column.data_type} "
                f"without a change in {rows:,} of the rows, removed ones included: "
                f"keep the type {former} in models/staging, or {elsewhere}."
            )


def reshaping(
    table: Table,
    found: Shape,
    dialect: Dialect,
    data_type: Callable[[Column], str],
    options: str = "",
) -> Iterator[str]:
    """The statements that give a table its declared columns, and keep its rows.

    Its objects are to be judged again, for a new column has no values yet.
    """
    if isinstance(table, Entity):
        yield f"update raw.objects set contract = null where entity = '{table.name}'"
    values = []
    for column in table.columns:
        value = column.name
        if column.name not in found:
            value = FORMER.get(column.name, "null")
        elif found[column.name] != column.data_type:
            value = _cast(column.name, column.data_type, dialect)
        values.append(f"cast({value} as {data_type(column)}) as {column.name}")
    yield (
        f"create or replace table raw.{table.name}{options} "
        f"as select {', '.join(values)} from raw.{table.name}"
    )


def _cast(value: str, data_type: str, dialect: Dialect) -> str:
    # Through text, which says no more of a double than it was made of, and is all that
    # Snowflake tries to cast.
    return dialect.try_cast(f"cast({value} as varchar)", data_type)
