"""Rules for values: one SQL expression that says why a record is bad.

The rules come from the declared columns and are the same for every engine; `Warehouse`
has the few expressions that engines write differently. A value is accepted only if its
type can hold the text exactly: nothing is rounded, trimmed or guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from reelhouse.contract import DOUBLE_DIGITS, Column, Entity
from reelhouse.engines.warehouse import FAULT, REASON, Warehouse

FUTURE_ALLOWANCE = timedelta(days=1)
FUTURE = "in the future"
NUMBER = (
    f"-?[0-9]{{1,{DOUBLE_DIGITS}}}([.][0-9]{{1,{DOUBLE_DIGITS}}})?"
    "([eE][-+]?[0-9]{1,3})?"
)
# Invisible characters: Unicode's white space, and characters without width.
BLANKS = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004"
    "\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d\u2028\u2029\u202f"
    "\u205f\u2060\u3000\ufeff"
)


def why_bad(
    entity: Entity, engine: Warehouse, latest: int, is_exact: bool = False
) -> str:
    """SQL: the reason why a record is bad, null for a good one.

    A record is a row with the text of each column under the column's own name, where a
    missing value is the empty text, and with the fault of its form, if any, under the
    name FAULT. Rules are checked in the order of the file's columns, and the first
    broken rule is the reason. Times may be as late as `latest` (seconds since
    1970-01-01 UTC). If `is_exact`, the columns are typed and hold what `ExactLines`
    found exact, so the rules of form are left out.
    """
    cases = "".join(
        f" when not coalesce({condition}, false) then {engine.literal(reason)}"
        for column in entity.file_columns
        for condition, reason, is_of_form in _rules(column, engine, latest)
        if not (is_exact and is_of_form)
    )
    return f"case when {FAULT} <> '' then {FAULT}{cases} end"


def future_epoch(entity: Entity, engine: Warehouse) -> str:
    """SQL: the future time that a record was rejected for, null for other reasons.

    The reason is read from the column REASON.
    """
    cases = "".join(
        f" when {REASON} = {engine.literal(f'{column.header}: {FUTURE}')} "
        f"then {engine.try_cast(column.name, 'bigint')}"
        for column in entity.file_columns
        if column.is_epoch
    )
    return f"case{cases} end" if cases else "null"


def _rules(
    column: Column, engine: Warehouse, latest: int
) -> Iterator[tuple[str, str, bool]]:
    """Yield conditions that a good value meets, in the order in which they are checked.

    Each comes with the reason to give if it is not met, and whether it is about form.
    """
    text, header = column.name, column.header
    if column.data_type == "varchar":
        if not column.may_be_empty:
            shown = f"translate({text}, {engine.literal(BLANKS)}, '')"
            yield f"{shown} <> ''", f"{header}: empty", False
        return
    if not column.may_be_empty:
        yield f"{text} <> ''", f"{header}: empty", True
    value = engine.try_cast(text, column.data_type)
    if column.data_type == "bigint":
        exact = f"cast({value} as varchar) = {text}"
        yield exact, f"{header}: not a whole number", True
    else:
        number = engine.whole_text(text, NUMBER)
        yield number, f"{header}: not a number", True
    if column.data_type not in {"bigint", "double"}:
        before, after = column.digits or (0, 0)
        # Zeros after the last decimal place change nothing: 4.00 is 4.0.
        part = f"([.][0-9]{{1,{after}}}0*)?" if after else "([.]0+)?"
        exact = engine.whole_text(text, f"-?[0-9]{{1,{before}}}{part}")
        yield exact, f"{header}: does not fit {column.data_type}", True
    for bound, operator, word in (
        (column.minimum, ">=", "below"),
        (column.above, ">", "not above"),
        (column.maximum, "<=", "above"),
    ):
        if bound is not None:
            yield f"{value} {operator} {bound}", f"{header}: {word} {bound}", False
    if column.step is not None:
        multiple = f"{value} % {column.step} = 0"
        yield multiple, f"{header}: not a multiple of {column.step}", False
    if column.is_epoch:
        yield f"{value} <= {latest}", f"{header}: {FUTURE}", False
