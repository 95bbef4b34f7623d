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
    """D16: Do not cast the argument of SUM and similar functions.

    Stock fakesnow casts it to double, so that text is accepted. Snowflake adds exact
    numbers exactly, and accepts text too. Here numbers stay exact, and text is refused.
    """
    return expression


def trim_characters(expression: Expr) -> Expr:
    """D18: TRIM the characters that its second argument names.

    Stock fakesnow ignores them, and trims spaces. Snowflake trims these characters.
    So do we.
    """
    if isinstance(expression, exp.Trim) and not isinstance(expression.this, exp.Cast):
        expression.set("this", exp.cast(expression.this, exp.DataType.Type.VARCHAR))
    return expression


def timestamp_structs(
    timestamps: pa.Array | pa.ChunkedArray,
) -> pa.StructArray:
    """D19: Send a null timestamp to the client as null.

    Stock fakesnow sends 1970-01-01, and refuses a time zone other than UTC. Snowflake
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
    """D21: Give a session no variables, and refuse SET.

    Stock fakesnow looks for variables in string literals too, and refuses one such as
    'for $ale'. Snowflake leaves literals alone. Here no variable is looked up.
    """
    return _NoVariables()


class _NoVariables(Variables):
    def update_variables(self, expr: Expr) -> None:
        raise NotEmulated(expr.sql("snowflake"))

    def inline_variables(self, sql: str) -> str:
        return sql
