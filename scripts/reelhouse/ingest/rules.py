"""Rules for values: SQL conditions made from the declared columns.

The same list of rules serves every engine; `Dialect` holds the few expressions
that they write differently. A value is taken only if its text is exactly what its
type can hold: nothing is rounded, trimmed or guessed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from reelhouse.contract import DOUBLE_DIGITS, Column, Entity
from reelhouse.engines.warehouse import Dialect, Rule

FUTURE_ALLOWANCE = timedelta(days=1)
NUMBER = (
    f"-?[0-9]{{1,{DOUBLE_DIGITS}}}([.][0-9]{{1,{DOUBLE_DIGITS}}})?"
    "([eE][-+]?[0-9]{1,3})?"
)


def column_rules(
    column: Column, dialect: Dialect, last_modified: datetime
) -> list[Rule]:
    """Rules for one column, to be tried in order.

    The column's text is read from a column of the column's own name; a missing
    value must be the empty text there. `last_modified` (UTC) bounds times.
    """
    text = column.name
    rules = []
    if not column.may_be_empty:
        is_of_form = column.data_type != "varchar"
        rules.append(Rule(f"trim({text}) <> ''", f"{column.header}: empty", is_of_form))
    if column.data_type == "varchar":
        return rules
    value = dialect.try_cast(text, column.data_type)
    rules += [Rule(*rule, True) for rule in _type_rules(column, text, value, dialect)]
    bounds = [
        (column.minimum, ">=", "below"),
        (column.above, ">", "not above"),
        (column.maximum, "<=", "above"),
    ]
    for bound, operator, word in bounds:
        if bound is not None:
            rules.append(
                Rule(f"{value} {operator} {bound}", f"{column.header}: {word} {bound}")
            )
    if column.step is not None:
        rules.append(
            Rule(
                f"{value} % {column.step} = 0",
                f"{column.header}: not a multiple of {column.step}",
            )
        )
    if column.is_epoch:
        limit = int((last_modified + FUTURE_ALLOWANCE).timestamp())
        rules.append(
            Rule(
                f"{value} <= {limit}",
                f"{column.header}: more than a day later than the object itself",
            )
        )
    return rules


def entity_rules(
    entity: Entity, dialect: Dialect, last_modified: datetime
) -> list[Rule]:
    """Rules for all columns of a record, in the order of the file."""
    return [
        rule
        for column in entity.file_columns
        for rule in column_rules(column, dialect, last_modified)
    ]


def _type_rules(
    column: Column, text: str, value: str, dialect: Dialect
) -> list[tuple[str, str]]:
    if column.data_type == "bigint":
        exact = f"cast({value} as varchar) = {text}"
        return [(exact, f"{column.header}: not a whole number")]
    number = dialect.whole_text(text, NUMBER)
    rules = [(number, f"{column.header}: not a number")]
    if column.data_type != "double":
        before, after = column.digits or (0, 0)
        # A zero behind the last place changes nothing: 4.00 is 4.0.
        part = f"([.][0-9]{{1,{after}}}0*)?" if after else "([.]0+)?"
        exact = dialect.whole_text(text, f"-?[0-9]{{1,{before}}}{part}")
        rules.append((exact, f"{column.header}: does not fit {column.data_type}"))
    return rules
