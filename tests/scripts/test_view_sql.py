"""Views: their text reads published tables, and is otherwise unchanged."""

from __future__ import annotations

import pytest

from reelhouse.engines.view_sql import Dialect, published_view
from reelhouse.errors import ReelhouseError

# The beginnings of a view's text in each engine; below, its bodies and results.
HEADS = {
    "duckdb": ["CREATE VIEW marts.v AS ", 'CREATE VIEW marts.v ("as", b) AS ', ""],
    "snowflake": [
        "create or replace view reelhouse.marts.v as ",
        "create view v (\"as\" comment $$it's as marts.x$$, b comment 'as') "
        "comment = 'it\\'s as marts.x' copy grants as ",
        "",
    ],
}
BODIES = {
    "plain": ("select a from marts.x", "select a from serving.x"),
    "with a database": (
        "select a from reelhouse.marts.x",
        "select a from serving.x",
    ),
    "quoted": (
        'select a from "reelhouse"."marts"."x y" as "marts.x"',
        'select a from serving."x y" as "marts.x"',
    ),
    "capitals": ("select a from REELHOUSE.Marts.X", "select a from serving.X"),
    "without a schema": ("select a from x", "select a from serving.x"),
    "a string": (
        "select 'it''s from marts.x' as a from marts.x",
        "select 'it''s from marts.x' as a from serving.x",
    ),
    "a comment with an apostrophe": (
        "-- it's of marts.x\nselect a /* isn't marts.x */ from marts.x -- it's",
        "-- it's of marts.x\nselect a /* isn't marts.x */ from serving.x -- it's",
    ),
    "a CTE named like a table": (
        "with x as (select * from marts.x), y as (select * from X) "
        "select x.a from x join y as x2 on x.a = x2.a",
        "with x as (select * from serving.x), y as (select * from X) "
        "select x.a from x join y as x2 on x.a = x2.a",
    ),
    "a CTE that hides a table": (
        "with z as (select 1 as a) select a from z, marts.z as other",
        "with z as (select 1 as a) select a from z, serving.z as other",
    ),
    "a column named marts": (
        "select marts, x.marts, marts.a from marts.x as x, marts.y as marts",
        "select marts, x.marts, marts.a from serving.x as x, serving.y as marts",
    ),
    "a column by its whole name": (
        "select marts.x.a, reelhouse.marts.x.b from marts.x",
        "select serving.x.a, serving.x.b from serving.x",
    ),
    "a part of a query": (
        "select (select max(a) from marts.x) from marts.y where a in "
        "(select a from marts.z) union all select a from marts.x",
        "select (select max(a) from serving.x) from serving.y where a in "
        "(select a from serving.z) union all select a from serving.x",
    ),
}


@pytest.mark.parametrize("dialect", HEADS)
@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES)
def test_a_view_reads_published_tables_and_nothing_else_of_it_changes(
    dialect: Dialect, body: str, expected: str
) -> None:
    for head in HEADS[dialect]:
        view = published_view("v", f"{head}{body}\n;", dialect, "reelhouse", "serving")
        assert view.text == expected
        assert view.outside == ()
        assert view.reads <= {"x", "x y", "y", "z"}


@pytest.mark.parametrize("dialect", HEADS)
def test_without_a_schema_a_cte_is_no_recursion(dialect: Dialect) -> None:
    body = (
        "with x as (select * from marts.x), y as (select X.a from X) "
        "select x.a, z.a from x join X as z on true join marts.y on true"
    )
    view = published_view("v", body, dialect, "reelhouse")
    other, unused = ('"x__CTE"', '"y__CTE"')
    if dialect == "snowflake":
        other, unused = other.replace("x", "X"), unused.replace("y", "Y")
    assert view.text == (
        f"with {other} as (select * from x), {unused} as (select X.a from {other} "
        f"as X) select x.a, z.a from {other} as x join {other} as z on true "
        f"join y on true"
    )


@pytest.mark.parametrize("dialect", HEADS)
@pytest.mark.parametrize(
    "read",
    [
        *("staging.x", "reelhouse.staging.x", "other.marts.x", "serving.x"),
        *("staging.marts", "read_csv('marts.x')"),
    ],
)
def test_what_lies_outside_the_marts_is_named(dialect: Dialect, read: str) -> None:
    view = published_view("v", f"select * from marts.y, {read}", dialect, "reelhouse")
    assert view.reads == {"y"}
    assert [name.lower() for name in view.outside] == [read.lower()]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("create view v as selec a from marts.x where", "Required keyword|Invalid"),
        ("select * from marts.x, serving.y", "rewritten text reads other relations"),
    ],
)
def test_a_view_that_cannot_be_read_is_refused(text: str, why: str) -> None:
    with pytest.raises(ReelhouseError, match=rf"view v cannot be published \(.*{why}"):
        published_view("v", text, "duckdb", "reelhouse", "serving")
