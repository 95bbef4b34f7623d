"""Values and functions that stock fakesnow gets wrong."""

from __future__ import annotations

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from fakesnow.arrow import timestamp_to_sf_struct
from fakesnow.transforms import to_timestamp as _to_timestamp
from fakesnow.variables import Variables
from sqlglot import Expr, exp

from reelhouse.local.emulator.deviations import NotEmulated


def sum_exactly(expression: Expr) -> Expr:
    """D16: SUM and its like take numbers as they are.

    Stock fakesnow casts what they take to double, for the sake of text. Snowflake
    adds exact numbers exactly, and takes text too. Here numbers stay exact, and text
    is refused.
    """
    return expression


def trim_characters(expression: Expr) -> Expr:
    """D18: TRIM with the characters that it is to trim.

    Stock fakesnow forgets them, and trims spaces. Snowflake trims what it is told.
    So do we.
    """
    if isinstance(expression, exp.Trim) and not isinstance(expression.this, exp.Cast):
        expression.set("this", exp.cast(expression.this, exp.DataType.Type.VARCHAR))
    return expression


def timestamp_structs(
    timestamps: pa.Array | pa.ChunkedArray,
) -> pa.StructArray:
    """D19: A timestamp that is null stays null on its way to the client.

    Stock fakesnow makes 1970-01-01 of it, and refuses a zone other than UTC. Snowflake
    does neither, nor do we.
    """
    if isinstance(timestamps, pa.ChunkedArray):
        timestamps = timestamps.combine_chunks()
    zone = timestamps.type.tz and "UTC"
    structs = timestamp_to_sf_struct(timestamps.cast(pa.timestamp("us", zone)))
    return pa.StructArray.from_arrays(
        [pc.fill_null(values, 0) for values in structs.flatten()],
        fields=[*structs.type],
        mask=pc.is_null(timestamps),
    )


def count_from_utc(expression: Expr) -> Expr:
    """D27: TO_TIMESTAMP_NTZ of a number counts from 1970 in UTC.

    Stock fakesnow counts in the zone of the session. Snowflake does not, nor do we.
    """
    if not isinstance(expression, exp.UnixToTime):
        return _to_timestamp(expression)
    scale = expression.args.get("scale")
    micros = exp.Literal.number(10 ** (6 - int(scale.name if scale else 0)))
    return exp.func("make_timestamp", exp.Mul(this=expression.this, expression=micros))


def no_variables() -> Variables:
    """D21: A session has no variables, and SET of one is refused.

    Stock fakesnow looks for variables in texts too, and refuses a text such as 'for
    $ale'. Snowflake leaves texts alone. Here nothing is looked up.
    """
    return _NoVariables()


class _NoVariables(Variables):
    def update_variables(self, expr: Expr) -> None:
        raise NotEmulated(expr.sql("snowflake"))

    def inline_variables(self, sql: str) -> str:
        return sql
