"""Macros return the values that their descriptions promise, in each engine's SQL."""

from __future__ import annotations

import logging
import math
from datetime import datetime
from decimal import Decimal
from hashlib import md5
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from dbt_common.events.event_handler import DbtEventLoggingHandler
from tests.delivery import unbuilt

from reelhouse.engines.snowflake.connection import open_account
from reelhouse.errors import ReelhouseError
from reelhouse.settings import environment
from reelhouse.transform import dbt as dbt_runner
from reelhouse.transform.build import parsed

# A Jinja expression, and its value.
VALUES: list[tuple[str, Any]] = [
    ("ratio('1', '3')", 1 / 3),
    ("ratio('(7 - 2)', '(1 + 1)')", 2.5),
    ("ratio('0', '5')", 0.0),
    ("ratio('5', '0')", None),
    ("ratio('null', '2')", None),
    ("tenths('cast(3.5 as decimal(2, 1))')", 35),
    ("stddev_from_sums('2', '4', '10')", math.sqrt(2)),
    ("stddev_from_sums('2', '40', '1000', 10)", math.sqrt(2)),
    ("stddev_from_sums('3', '6', '12')", 0.0),
    ("stddev_from_sums('1', '4', '16')", None),
    ("bayesian_average('1', '5', '4', '12', 1)", 4.0),
    ("bayesian_average('1', '50', '4', '120', 1, 10)", 4.0),
    ("bayesian_average('2', '9', '4', '12', 0)", 4.5),
    # The products have more than 18 digits; no digit is lost before the division.
    (
        "stddev_from_sums('3000000000', '90000000000', '3000000002999999999')",
        math.sqrt((3_000_000_002_999_999_999 - 90_000_000_000 * 30) / 2_999_999_999),
    ),
    (
        "bayesian_average('2000000000', '71234567800', '2000000000', '71234567800',"
        " 100, 10)",
        71234567800 / 20000000000,
    ),
    ("weight_units('1')", 232792560),
    ("weight_units('4')", 58198140),
    ("weight_units('23')", 10121415),
    ("round_relevance('cast(0.00800000000000001 as double)')", Decimal("0.00800")),
    ("round_relevance('cast(0.000015 as double)')", Decimal("0.00002")),
    ("round_relevance('cast(0.0000149 as double)')", Decimal("0.00001")),
    ("round_relevance('cast(1 as double)')", Decimal("1.00000")),
    ("epoch_to_timestamp('0')", datetime(1970, 1, 1)),
    ("epoch_to_timestamp('1483228799')", datetime(2016, 12, 31, 23, 59, 59)),
    ("epoch_to_timestamp('null')", None),
    ("iso_day_of_week(\"cast('2024-01-01' as date)\")", 1),
    ("iso_day_of_week(\"cast('2023-12-31' as date)\")", 7),
    ("fold_spaces(\"' a   b  c '\")", " a b c "),
    ("fold_spaces(\"'a' || chr(9) || '  b'\")", "a\t b"),
    ("trim_white(\"chr(160) || ' Heat (1995)' || chr(9) || chr(10)\")", "Heat (1995)"),
    ("trim_white(\"chr(13) || chr(8201) || ' x'\")", "\u2009 x"),
    ("trim_white('null')", None),
    ("rtrim_white(\"' (1983)) ' || chr(160)\", ')')", " (1983"),
    ("rtrim_white(\"' (1983) '\")", " (1983)"),
    (
        "normalise_text(\"'  Dark' || chr(160) || chr(10) || '  COMEDY '\")",
        "dark comedy",
    ),
    ("normalise_text(\"' '\")", ""),
    ("normalise_text('null')", None),
    ("is_digits(\"'0123456789'\")", True),
    ("is_digits(\"''\")", True),
    ("is_digits(\"'12a'\")", False),
    ("is_digits(\"'-1'\")", False),
    ("year_of_group(\"'1995'\")", "1995"),
    ("year_of_group(\"'1975-1979'\")", "1975"),
    ("year_of_group(\"'2006–2007'\")", "2006"),
    ("year_of_group(\"'2009– '\")", "2009"),
    ("year_of_group(\"'2007-'\")", "2007"),
    ("year_of_group(\"'199'\")", None),
    ("year_of_group(\"'19955'\")", None),
    ("year_of_group(\"'0000'\")", None),
    ("year_of_group(\"'1869'\")", None),
    ("year_of_group(\"'1870'\")", "1870"),
    ("year_of_group(\"'2100'\")", "2100"),
    ("year_of_group(\"'2101'\")", None),
    ("year_of_group(\"'9999'\")", None),
    ("year_of_group(\"'1995 cut'\")", None),
    ("year_of_group(\"'a.k.a. 1995'\")", None),
    ("microseconds(\"cast('1970-01-02 00:00:00.000003' as datetime)\")", 86400000003),
    ("microseconds(\"cast('2026-01-31 12:00:00' as datetime)\")", 1769860800000000),
    (
        # One microsecond more gives another version.
        "snapshot_hash_arguments(['7', "
        "\"cast('1970-01-02 00:00:00.000001' as datetime)\"])",
        md5(b"7|86400000001", usedforsecurity=False).hexdigest(),
    ),
    (
        "surrogate_key([\"'Drama'\", '1', 'null'])",
        md5(b"5:Drama1:1-", usedforsecurity=False).hexdigest(),
    ),
]

NUMBERS = """(
    select 1 as id, 'a' as team, 3 as score, 'Drama|War' as words
    union all select 2, 'a', 5, 'Drama'
    union all select 3, 'a', 5, ''
    union all select 4, 'b', 1, null
)"""
# In the last row the first condition is null; in the third both are false.
CONDITIONS = ["words not in ('', 'Drama')", "score between 2 and 4"]
VERSIONS = """(
    select
        1 as id,
        cast('1900-01-01' as timestamp) as valid_from,
        cast('2026-01-02' as timestamp) as valid_to
    union all
    select 2, cast('2026-01-02' as timestamp), null
)"""

FOREVER, BEFORE, CHANGE = (
    f"cast('{moment}' as timestamp)"
    for moment in ("1900-01-01", "2026-01-01 23:59:59", "2026-01-02")
)
# A Jinja query, and its rows in any order.
QUERIES: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "top_n of each group, ties by id": (
        f"select id from {NUMBERS} as numbers "
        "{{ top_n(1, ['score desc', 'id asc'], ['team']) }}",
        [(2,), (4,)],
    ),
    "top_n of all": (
        f"select id from {NUMBERS} as numbers "
        "{{ top_n(2, ['score asc', 'id desc']) }}",
        [(4,), (1,)],
    ),
    "is_repeated, of a key": (
        f"select team, score from (select *, {{{{ is_repeated(['team', 'score']) }}}} "
        f"as is_one from {NUMBERS} as numbers) as marked where is_one",
        [("a", 5)],
    ),
    "is_repeated, but the first in an order": (
        f"select id from (select *, {{{{ is_repeated(['team'], ['id desc']) }}}} "
        f"as is_one from {NUMBERS} as numbers) as marked where is_one",
        [(1,), (2,)],
    ),
    "is_repeated, of one column with a null": (
        f"select words from (select *, {{{{ is_repeated(['words']) }}}} as is_one "
        f"from ({NUMBERS} union all {NUMBERS}) as numbers) as marked where is_one",
        [("Drama|War",), ("Drama",), ("",)],
    ),
    "weighted_avg of groups": (
        "select team, {{ weighted_avg('score', 'id') }} "
        f"from {NUMBERS} as numbers group by team",
        [("a", 13 / 6), ("b", 0.25)],
    ),
    "weighted_avg with weights and units": (
        "select {{ weighted_avg('score', '1', 'id', 10) }} "
        f"from {NUMBERS} as numbers where team = 'a'",
        [((3 * 1 + 5 * 2 + 5 * 3) / 60,)],
    ),
    "weighted_avg of nothing": (
        "select {{ weighted_avg('score', 'id') }} "
        f"from {NUMBERS} as numbers where id > 4",
        [(None,)],
    ),
    "split_rows": (
        "select numbers.id, cast(parts.value as varchar) "
        f"from {NUMBERS} as numbers "
        "{{ split_rows('numbers.words', '|', 'parts') }}",
        [(1, "Drama"), (1, "War"), (2, "Drama"), (3, "")],
    ),
    "as_of the first moment": (
        f"select id from {{{{ as_of({VERSIONS!r}, {FOREVER!r}) }}}} as valid",
        [(1,)],
    ),
    "as_of the second before a change": (
        f"select id from {{{{ as_of({VERSIONS!r}, {BEFORE!r}) }}}} as valid",
        [(1,)],
    ),
    "as_of the moment of a change": (
        f"select id from {{{{ as_of({VERSIONS!r}, {CHANGE!r}) }}}} as valid",
        [(2,)],
    ),
    "surrogate_key: no two keys run together": (
        "select count(distinct made) from ("
        + " union all ".join(
            f"select {{{{ surrogate_key({keys}) }}}} as made"
            for keys in (
                ["'a'", "'bc'"],
                ["'ab'", "'c'"],
                ["''", "null"],
                ["null", "''"],
                ["'1:1'"],
                ["'1'", "'1'"],
            )
        )
        + ") as keys",
        [(6,)],
    ),
    "latest_rows": (
        "select id from {{ latest_rows("
        "\"(select 1 as id, cast('2026-01-31' as timestamp) as made_at "
        "union all select 2, cast('2026-01-30 00:00:01' as timestamp) "
        "union all select 3, cast('2026-01-30' as timestamp))\", "
        "{'days': 1, 'column': 'made_at', "
        "'relation': \"(select cast('2026-01-31' as timestamp) as made_at)\"}"
        ") }} as latest",
        [(1,), (2,)],
    ),
    "newest_load_id": (
        'select {{ newest_load_id("(select 7 as load_id)") }} as load_id',
        [(7,)],
    ),
    "newest_load_id of nothing": (
        'select {{ newest_load_id("(select 7 as load_id where 1 = 0)") }} as load_id',
        [(0,)],
    ),
    "conditions_hold names the first that is broken; null passes": (
        "select broken_condition, id from ({{ test_conditions_hold("
        f"{NUMBERS!r}, {CONDITIONS!r}) }}}}) as found order by id",
        [(CONDITIONS[0], 2), (CONDITIONS[0], 3), (CONDITIONS[1], 4)],
    ),
    "no_nulls_in_columns": (
        f"{{{{ test_no_nulls_in_columns({NUMBERS!r}, ['id', 'words']) }}}}",
        [(4, None)],
    ),
    "relevance_range": (
        "{{ test_relevance_range('(select 0 as score union all select 1 "
        "union all select 2 union all select -1 union all select null)', 'score') }}",
        [(2,), (-1,), (None,)],
    ),
    "unique_combination": (
        f"{{{{ test_unique_combination({NUMBERS!r}, ['team', 'score']) }}}}",
        [("a", 5)],
    ),
    "unique_combination with a null": (
        f"{{{{ test_unique_combination({NUMBERS!r}, ['words']) }}}}",
        [(None,)],
    ),
}


def declared(name: str, model: str, where: str | None, **arguments: object) -> object:
    """Return a data test in the form that it has in a manifest."""
    return {
        "unique_id": f"test.{name}.{arguments}",
        "attached_node": model,
        "test_metadata": {"name": name, "kwargs": arguments},
        "config": {"where": where},
    }


NODES = [
    {"unique_id": "model.a"},
    {"unique_id": "test.singular", "config": {"where": None}},
    declared("not_null", "model.a", None, column_name="most"),
    declared("unique", "model.a", None, column_name="hash"),
    declared("unique_combination", "model.a", None, columns=["second", "first"]),
    declared("unique_combination", "model.a", None, columns=["third", "first"]),
    declared("unique_combination", "model.a", "x > 1", columns=["p", "q", "r"]),
    declared("unique_combination", "model.b", None, columns=["s", "t", "u"]),
    declared("unique_combination", "model.e", None, columns=["x"], latest={"days": 9}),
    declared("unique", "model.c", None, column_name="id"),
    declared("conditions_hold", "model.d", None, column_name="id"),
]
# The expected key of each model: the widest one that holds for all rows.
KEYS = {"a": "second, first", "b": "s, t, u", "c": "id", "d": "", "e": "x"}
QUERIES |= {
    f"key_columns of {name}": (
        f"select '{{{{ key_columns('model.{name}', {NODES!r}) | join(', ') }}}}'",
        [(key,)],
    )
    for name, key in KEYS.items()
}


# dbt requires connection settings although it opens no connection.
NOT_CONNECTED = {
    f"SNOWFLAKE_{name}": "none"
    for name in ("ACCOUNT", "USER", "ROLE", "WAREHOUSE", "PRIVATE_KEY_PATH")
}


def invoke(target: str, *command: str, manifest: Any = None) -> Any:
    with TemporaryDirectory() as folder, environment(NOT_CONNECTED):
        return dbt_runner.invoke([*command], target, Path(folder), manifest=manifest)


def rendered(target: str, templates: list[str]) -> list[str]:
    """Render each template for a target with dbt, without querying an engine."""
    mark = "\n-- the next template\n"
    ran = invoke(
        target,
        *("compile", "--inline", mark.join(templates)),
        *("--no-introspect", "--no-populate-cache"),
        manifest=parsed(unbuilt(target)),
    )
    return str(ran.results[0].node.compiled_code).split(mark)


def ask_duckdb(queries: list[str]) -> list[list[tuple[Any, ...]]]:
    connection = duckdb.connect()
    return [connection.execute(query).fetchall() for query in queries]


def ask_snowflake(queries: list[str]) -> list[list[tuple[Any, ...]]]:
    with open_account("prod") as account:
        return [account.ask(query) for query in queries]


ENGINES = {"dev": ask_duckdb, "prod": ask_snowflake}


@pytest.mark.parametrize(
    "target", ["dev", pytest.param("prod", marks=pytest.mark.long)]
)
def test_macros_give_their_values_and_make_queries_of_the_right_rows(
    target: str, request: pytest.FixtureRequest
) -> None:
    if target == "prod":
        request.getfixturevalue("in_account")
    columns = ",\n".join(f"{{{{ {expression} }}}}" for expression, _ in VALUES)
    templates = [f"select {columns}", *(query for query, _ in QUERIES.values())]
    ((values,), *found) = ENGINES[target](rendered(target, templates))
    wrong: dict[str, Any] = {
        expression: (value, expected)
        for (expression, expected), value in zip(VALUES, values, strict=True)
        if value != expected
    }
    wrong |= {
        name: (rows, expected)
        for (name, (_, expected)), rows in zip(QUERIES.items(), found, strict=True)
        if sorted(rows, key=repr) != sorted(expected, key=repr)
    }
    assert not wrong
    # No logger of a library keeps a handler of dbt.
    assert not [
        name
        for name, logger in logging.Logger.manager.loggerDict.items()
        for handler in getattr(logger, "handlers", [])
        if isinstance(handler, DbtEventLoggingHandler)
    ]


@pytest.mark.long
def test_a_test_of_the_latest_days_looks_at_no_others() -> None:
    name = "unique_combination_mart_user_behaviour_user_id__movie_id_*"
    (ran,) = invoke(
        "dev", "compile", "--select", name, manifest=parsed(unbuilt("dev"))
    ).results
    connection = duckdb.connect()
    connection.execute("attach ':memory:' as reelhouse")
    connection.execute("use reelhouse; create schema marts; use marts")
    connection.execute(
        "create table fct_ratings as select timestamp '2026-02-01 12:00:00' as rated_at"
    )
    connection.execute(
        "create table mart_user_behaviour as select 1 as user_id, 1 as movie_id, "
        "rated_at from fct_ratings "
        "union all select null, 2, timestamp '2026-01-01 12:00:00' "
        "union all select null, 3, timestamp '2026-01-01 12:00:01'"
    )
    found = connection.execute(ran.node.compiled_code).fetchall()
    assert found == [(None, 3)]


def test_an_order_without_a_direction_is_refused() -> None:
    with pytest.raises(ReelhouseError) as caught:
        rendered("dev", ["{{ top_n(1, ['score']) }}"])
    why = caught.value.__cause__
    assert "top_n: write asc or desc after 'score'" in str(why and why.__context__)
