"""Compare finds every planted difference of published files, and no other."""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from reelhouse.cli import main, show
from reelhouse.cli.compare import as_text
from reelhouse.errors import ReelhouseError
from reelhouse.serving.compare import (
    Change,
    ColumnDifference,
    Comparison,
    TableComparison,
    compare,
)

# Rows of every kind: nulls, NaN, negative zero, duplicate rows.
ROWS = """
    create table serving.films (film_id bigint, title varchar, score double,
        price decimal(5,2), seen_at timestamp, loaded_at timestamp);
    insert into serving.films values
        (1, 'One', 1.5, 9.90, '2026-01-01 10:00:00', '2026-01-01'),
        (2, null, 'NaN', null, null, '2026-01-01'),
        (3, 'Three', -0.0, 0.00, '2026-01-03', '2026-01-01'),
        (4, 'Four', 4.0, 4.00, '2026-01-04', '2026-01-01');
    create table serving.sightings (place varchar, times integer);
    insert into serving.sightings values
        ('here', 1), ('here', 1), ('there', 2), (null, null);
"""
FILMS = f"""
    create schema serving; {ROWS}
    create view serving.titles as select film_id, title from serving.films;
"""
PUBLISHED: list[tuple[str, ...]] = [
    ("films", "table", "loaded_at", "film_id"),
    ("sightings", "table", "", ""),
    ("titles", "view", "", "film_id"),
]

Publish = Callable[..., Path]


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    """A function that makes a published file from FILMS and the changes of a test."""

    def file(
        name: str,
        changes: str = "",
        published: list[tuple[str, ...]] = PUBLISHED,
        tables: str = FILMS,
    ) -> Path:
        path = tmp_path / f"{name}.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute(tables)
            connection.execute(
                "create table serving.published_tables (name varchar, kind varchar, "
                "row_count bigint, ignored_columns varchar, key_columns varchar)"
            )
            connection.executemany(
                "insert into serving.published_tables values (?, ?, 0, ?, ?)",
                published,
            )
            connection.execute(changes)
        return path

    return file


def table(comparison: Comparison, name: str) -> TableComparison:
    (found,) = [each for each in comparison.tables if each.name == name]
    return found


def differing(comparison: Comparison) -> list[str]:
    return [each.name for each in comparison.tables if not each.is_equal]


def test_equal_files_are_equal(publish: Publish) -> None:
    comparison = compare(publish("left"), publish("right"))
    assert comparison.is_equal
    assert [
        (each.name, each.method, each.left_rows, each.right_rows, each.ignored_columns)
        for each in comparison.tables
    ] == [
        ("films", "rows", 4, 4, ("loaded_at",)),
        ("sightings", "rows", 4, 4, ()),
        ("titles", "construction", 4, 4, ()),
    ]


SAME = {
    "rows in another order": """
        create table serving.again as from serving.films order by film_id desc;
        delete from serving.films; insert into serving.films from serving.again;
        create table serving.once as from serving.sightings order by all desc;
        delete from serving.sightings; insert into serving.sightings
            from serving.once;
    """,
    "an ignored column": "update serving.films set loaded_at = '2030-01-01'",
    "an ignored column, rows in another order": """
        delete from serving.films where film_id = 1;
        insert into serving.films values
            (1, 'One', 1.5, 9.90, '2026-01-01 10:00:00', '2030-01-01');
    """,
    "another width of whole numbers": """
        alter table serving.sightings alter times type bigint
    """,
    "the other zero": "update serving.films set score = 0.0 where film_id = 3",
    "the other zero, rows in another order": """
        delete from serving.films where film_id = 3;
        insert into serving.films values
            (3, 'Three', 0.0, 0.00, '2026-01-03', '2026-01-01');
    """,
    "the other NaN": """
        update serving.films set score = -('NaN'::double) where film_id = 2
    """,
}


@pytest.mark.long
@pytest.mark.parametrize("changes", SAME.values(), ids=SAME)
def test_what_is_no_difference(publish: Publish, changes: str) -> None:
    comparison = compare(publish("left"), publish("right", changes))
    assert differing(comparison) == []


# The change on the right side, the table that differs, and the findings.
PLANTED: dict[str, tuple[str, str, dict[str, object]]] = {
    "a row is gone": (
        "delete from serving.films where film_id = 2",
        "films",
        {"key": ("film_id",), "only_left": 1, "left_rows": 4, "right_rows": 3},
    ),
    "a row is new": (
        "insert into serving.films (film_id) values (7)",
        "films",
        {"only_right": 1, "right_rows": 5},
    ),
    "a row has another key": (
        "update serving.films set film_id = 9 where film_id = 1",
        "films",
        {"only_left": 1, "only_right": 1, "changed": 0},
    ),
    "a value": (
        "update serving.films set title = 'Four ' where film_id = 4",
        "films",
        {
            "changed": 1,
            "changed_columns": {"title": 1},
            "changes": (Change({"film_id": 4}, "title", "Four", "Four "),),
        },
    ),
    "values of two columns": (
        "update serving.films set price = price + 0.01, title = 'x' where film_id != 2",
        "films",
        {
            "changed": 3,
            "changed_columns": {"title": 3, "price": 3},
            # One change of each column comes before the second of any.
            "changes": (
                Change({"film_id": 1}, "title", "One", "x"),
                Change({"film_id": 1}, "price", Decimal("9.90"), Decimal("9.91")),
                Change({"film_id": 3}, "title", "Three", "x"),
            ),
        },
    ),
    "a null became a value": (
        "update serving.films set title = '' where film_id = 2",
        "films",
        {"changed": 1, "changes": (Change({"film_id": 2}, "title", None, ""),)},
    ),
    "a value became null": (
        "update serving.films set seen_at = null where film_id = 1",
        "films",
        {
            "changed": 1,
            "changes": (
                Change({"film_id": 1}, "seen_at", datetime(2026, 1, 1, 10), None),
            ),
        },
    ),
    "NaN became null": (
        "update serving.films set score = null where film_id = 2",
        "films",
        {"changed": 1, "changed_columns": {"score": 1}},
    ),
    "NaN became a number": (
        "update serving.films set score = 0 where film_id = 2",
        "films",
        {"changed": 1, "changed_columns": {"score": 1}},
    ),
    "the next double": (
        "update serving.films set score = 1.5000000000000002 where film_id = 1",
        "films",
        {
            "changed": 1,
            "changes": (Change({"film_id": 1}, "score", 1.5, 1.5000000000000002),),
        },
    ),
    "another type": (
        "alter table serving.films alter price type varchar; "
        "update serving.films set title = 'x' where film_id = 1",
        "films",
        {
            "column_differences": (
                ColumnDifference("price", "DECIMAL(5,2)", "VARCHAR"),
            ),
            # Other columns are compared nevertheless.
            "changed": 1,
            "changed_columns": {"title": 1},
        },
    ),
    "another scale": (
        "alter table serving.films alter price type decimal(6,3)",
        "films",
        {
            "column_differences": (
                ColumnDifference("price", "DECIMAL(5,2)", "DECIMAL(6,3)"),
            ),
            "changed": 0,
        },
    ),
    "the key has another type": (
        "alter table serving.films alter film_id type varchar; "
        "delete from serving.films where film_id = '1'",
        "films",
        {
            "column_differences": (ColumnDifference("film_id", "BIGINT", "VARCHAR"),),
            "key": (),
            "only_left": 1,
        },
    ),
    "a column is gone": (
        "alter table serving.sightings drop times",
        "sightings",
        {
            "column_differences": (ColumnDifference("times", "INTEGER", None),),
            "only_left": 0,
            "only_right": 0,
        },
    ),
    "a column is new": (
        "alter table serving.sightings add more date",
        "sightings",
        {"column_differences": (ColumnDifference("more", None, "DATE"),)},
    ),
    "columns in another order": (
        "create or replace table serving.sightings as "
        "select times, place from serving.sightings",
        "sightings",
        {"is_reordered": True, "column_differences": (), "only_left": 0},
    ),
    "a duplicate more": (
        "insert into serving.sightings values ('here', 1)",
        "sightings",
        {
            "key": (),
            "only_right": 1,
            "only_left": 0,
            "right_examples": ({"place": "here", "times": 1},),
        },
    ),
    "a row of nulls more": (
        "insert into serving.sightings values (null, null)",
        "sightings",
        {"only_right": 1, "right_examples": ({"place": None, "times": None},)},
    ),
    "more rows than are shown": (
        "insert into serving.sightings values ('z', 1), ('a', 2), ('m', 3), ('b', 4)",
        "sightings",
        {
            "only_right": 4,
            "right_examples": tuple(
                {"place": place, "times": times}
                for place, times in (("a", 2), ("b", 4), ("m", 3))
            ),
        },
    ),
    "more keys than are shown": (
        "insert into serving.films (film_id) values (9), (5), (8), (6)",
        "films",
        {
            "only_right": 4,
            "right_examples": tuple(
                {
                    "film_id": key,
                    **dict.fromkeys(("title", "score", "price", "seen_at")),
                }
                for key in (5, 6, 8)
            ),
        },
    ),
    "a duplicate instead of another": (
        "delete from serving.sightings; insert into serving.sightings values "
        "('here', 1), ('there', 2), ('there', 2), (null, null)",
        "sightings",
        {
            "left_rows": 4,
            "right_rows": 4,
            "only_left": 1,
            "only_right": 1,
            "left_examples": ({"place": "here", "times": 1},),
            "right_examples": ({"place": "there", "times": 2},),
        },
    ),
    "a null without a key": (
        "update serving.sightings set place = '' where place is null",
        "sightings",
        {
            "only_left": 1,
            "left_examples": ({"place": None, "times": None},),
            "right_examples": ({"place": "", "times": None},),
        },
    ),
    "a key that comes twice": (
        "insert into serving.films from serving.films where film_id = 1",
        "films",
        {"key": (), "only_left": 0, "only_right": 1, "changed": 0},
    ),
    "a key that is null": (
        "update serving.films set film_id = null where film_id = 1",
        "films",
        {"key": (), "only_left": 1, "only_right": 1},
    ),
}


def numbered(text: str, number: int) -> str:
    """Return the text with a number added to the names of its tables."""
    return re.sub(r"serving\.(films|sightings)", rf"serving.\1_{number}", text)


@pytest.mark.long
def test_what_is_planted_is_found_on_either_side(publish: Publish) -> None:
    tables, published, planted = "create schema serving;", [], ""
    for number, (changes, _, _) in enumerate(PLANTED.values()):
        tables += numbered(ROWS, number)
        published += [(f"{name}_{number}", *rest) for name, *rest in PUBLISHED[:2]]
        planted += numbered(changes, number) + ";"
    left = publish("left", "", published, tables)
    right = publish("right", planted, published, tables)
    comparison, other = compare(left, right), compare(right, left)
    assert sorted(differing(comparison)) == sorted(differing(other))
    assert sorted(differing(comparison)) == sorted(
        f"{name}_{number}" for number, (_, name, _) in enumerate(PLANTED.values())
    )
    for number, (case, (_, name, found)) in enumerate(PLANTED.items()):
        told = table(comparison, f"{name}_{number}")
        assert {each: getattr(told, each) for each in found} == found, case
        mirrored = table(other, f"{name}_{number}")
        assert (mirrored.only_left, mirrored.only_right, mirrored.changed) == (
            told.only_right,
            told.only_left,
            told.changed,
        ), case
        assert mirrored.left_examples == told.right_examples, case
        # As texts, because NaN does not equal NaN.
        assert [f"{each.right} {each.left}" for each in mirrored.changes] == [
            f"{each.left} {each.right}" for each in told.changes
        ], case


def test_a_table_of_one_side(publish: Publish) -> None:
    right = publish("right", "drop table serving.sightings", PUBLISHED[::2])
    told = table(compare(publish("left"), right), "sightings")
    assert (told.left_rows, told.right_rows, told.is_equal) == (4, None, False)
    told = table(compare(right, publish("again")), "sightings")
    assert (told.left_rows, told.right_rows, told.is_equal) == (None, 4, False)


def test_a_broken_key_hides_nothing(publish: Publish) -> None:
    """All keys match and the row counts are equal, but the rows are not."""
    tables = "create schema serving; create table serving.pairs (name varchar);"
    published = [("pairs", "table", "", "name")]
    left, right = (
        publish(side, f"insert into serving.pairs values {rows}", published, tables)
        for side, rows in (
            ("left", "('a'), ('a'), ('b')"),
            ("right", "('a'), ('b'), ('b')"),
        )
    )
    told = table(compare(left, right), "pairs")
    assert (told.only_left, told.only_right) == (1, 1)


def test_nothing_but_ignored_columns_is_counted(publish: Publish) -> None:
    tables = "create schema serving; create table serving.moments (loaded_at date);"
    published = [("moments", "table", "loaded_at", "")]
    filled = "insert into serving.moments values ('2026-01-01')"
    left = publish("left", filled, published, tables)
    right = publish("right", f"{filled}, ('2026-01-02')", published, tables)
    told = table(compare(left, right), "moments")
    assert (told.only_left, told.only_right, told.is_equal) == (0, 1, False)
    assert compare(left, publish("same", filled, published, tables)).is_equal


@pytest.mark.long
def test_every_difference_of_random_tables_is_counted(publish: Publish) -> None:
    """Pairs of small tables with keys, without keys, and with invalid keys."""
    chance = random.Random(20260101)
    values = ["null", "'nan'", "-0.0", "0.0", "1.5", "2.5"]
    sides: dict[str, dict[str, list[tuple[str, str, str]]]] = {"left": {}, "right": {}}
    published = []
    for number in range(120):
        name = f"random_{number:03}"
        keys = [*"012345", *(["null", "3"] if number % 3 == 0 else [])]
        rows = [
            (key, chance.choice(values), chance.choice("xy"))
            for key in keys
            if chance.random() < 0.8
        ]
        other = [
            (key, value if chance.random() < 0.8 else chance.choice(values), text)
            for key, value, text in rows
            if chance.random() < 0.9
        ] + [("7", "1.5", "x")] * (chance.random() < 0.3)
        chance.shuffle(other)
        sides["left"][name], sides["right"][name] = rows, other
        published.append((name, "table", "", "key" if number % 2 else ""))
    paths = []
    for side, tables in sides.items():
        script = ["create schema serving"]
        for name, rows in tables.items():
            script.append(
                f"create table serving.{name} (key bigint, value double, text varchar)"
            )
            script += [
                f"insert into serving.{name} values ({key}, {value}, '{text}')"
                for key, value, text in rows
            ]
        paths.append(
            publish(side, "", published, ";".join(["begin", *script, "commit"]))
        )
    seen: Counter[str] = Counter()
    for told in compare(*paths).tables:
        left, right = (
            Counter(
                (key, value.replace("-0.0", "0.0"), text)
                for key, value, text in tables[told.name]
            )
            for tables in sides.values()
        )
        only_left, only_right = left - right, right - left
        assert told.is_equal == (left == right)
        # A changed row counts on both sides.
        assert told.only_left + told.changed == only_left.total()
        assert told.only_right + told.changed == only_right.total()
        if told.key:
            keys_left, keys_right = ({row[0] for row in side} for side in (left, right))
            assert told.only_left == len(keys_left - keys_right)
        is_keyed = int(told.name[-3:]) % 2 and all(
            len({row[0] for row in side}) == side.total()
            and "null" not in {row[0] for row in side}
            for side in (left, right)
        )
        assert not told.key or is_keyed
        seen["by key" if told.key else "whole"] += 1
        seen["equal" if told.is_equal else "different"] += 1
        seen["changed"] += told.changed
    assert min(seen.values()) > 20


# --- views


def views(definition: str, changes: str = "") -> dict[str, Any]:
    """Return a file with table `films`, whose load_id is ignored, and a view of it."""
    return {
        "tables": f"""
            create schema serving;
            create table serving.films (film_id bigint, title varchar, load_id bigint);
            insert into serving.films values (1, 'One', 1), (2, 'Two', 1);
            create view serving.seen as {definition};
        """,
        "changes": changes,
        "published": [
            ("films", "table", "load_id", "film_id"),
            ("seen", "view", "", ""),
        ],
    }


SELECT_STAR = (
    "with films as (select * from serving.films) select film_id, title from films"
)


def test_a_view_of_one_definition_over_equal_tables_is_equal(publish: Publish) -> None:
    later = "update serving.films set load_id = 7"
    comparison = compare(
        publish("left", **views(SELECT_STAR)),
        publish("right", **views(SELECT_STAR.replace("select", "\n SELECT"), later)),
    )
    assert comparison.is_equal
    told = table(comparison, "seen")
    assert (told.method, told.left_rows, told.right_rows) == ("construction", 2, 2)


# A view, and how load_id changes on the right; it is 1 on the left.
READS_IGNORED = {
    "as a column": (
        "select film_id, load_id as loaded from serving.films",
        "load_id + 6",
    ),
    "in a filter": (
        "select film_id from serving.films where load_id < 5",
        "load_id + 6",
    ),
    "in an order": (
        "select film_id from serving.films order by load_id, film_id limit 1",
        "3 - film_id",
    ),
    # From what DuckDB knows of the values, it makes this a constant on each side.
    "in a condition": (
        "select case when load_id < 5 then 'a' else 'b' end as era from serving.films",
        "load_id + 6",
    ),
    "without a name": (
        "select count(*) as loads from "
        "(select distinct * exclude (film_id, title) from serving.films)",
        "film_id",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("definition", "value"), READS_IGNORED.values(), ids=READS_IGNORED
)
def test_a_view_that_reads_an_ignored_column_is_compared_by_rows(
    publish: Publish, definition: str, value: str
) -> None:
    changes = f"update serving.films set load_id = {value}"
    comparison = compare(
        publish("left", **views(definition)),
        publish("right", **views(definition, changes)),
    )
    assert differing(comparison) == ["seen"]
    assert table(comparison, "seen").method == "rows"


def test_a_view_of_another_definition_is_compared_by_rows(publish: Publish) -> None:
    left = publish("left", **views(SELECT_STAR))
    other = "select film_id, title || '' as title from serving.films"
    told = table(compare(left, publish("right", **views(other))), "seen")
    assert (told.method, told.is_equal) == ("rows", True)
    wrong = "select film_id, title || case film_id when 2 then '.' else '' end as title"
    told = table(
        compare(left, publish("wrong", **views(f"{wrong} from serving.films"))), "seen"
    )
    assert (told.method, told.only_left, told.only_right) == ("rows", 1, 1)


def test_a_view_over_tables_that_differ_is_compared_by_rows(publish: Publish) -> None:
    comparison = compare(
        publish("left", **views(SELECT_STAR)),
        publish(
            "right",
            **views(SELECT_STAR, "update serving.films set title = upper(title)"),
        ),
    )
    assert differing(comparison) == ["films", "seen"]
    told = table(comparison, "seen")
    assert (told.method, told.only_left, told.only_right) == ("rows", 2, 2)


SCORED = (
    "select film_id, title, case film_id when 2 then 'nan'::double end as score "
    "from serving.films"
)


def test_a_view_over_a_view_that_is_compared_later_is_compared_by_rows(
    publish: Publish,
) -> None:
    """A view is not equal by construction unless all its tables are known to be."""
    paths = []
    for side, title in (("left", "One"), ("right", "Uno")):
        known = views(
            f"select film_id from serving.films where title != '{title}'",
            f"""
                update serving.films set title = '{title}' where film_id = 1;
                create view serving.again as
                    select film_id from serving.seen where film_id < 10;
            """,
        )
        known["published"] = [*known["published"], ("again", "view", "", "")]
        paths.append(publish(side, **known))
    comparison = compare(*paths)
    assert differing(comparison) == ["films"]
    assert table(comparison, "again").method == "rows"


# --- what is not comparable


def test_what_cannot_be_compared_is_said(publish: Publish, tmp_path: Path) -> None:
    published = publish("published")
    with pytest.raises(ReelhouseError, match="nowhere does not exist: name"):
        compare(published, tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ReelhouseError, match="is not a file: name a published"):
            compare(published, path)
    with pytest.raises(ReelhouseError, match="Both sides are"):
        compare(published, published)
    other = tmp_path / "other.duckdb"
    duckdb.connect(str(other)).close()
    with pytest.raises(ReelhouseError, match=r"other\.duckdb is not a published file"):
        compare(published, other)
    torn = publish("torn", "drop table serving.sightings")
    with pytest.raises(ReelhouseError, match="table sightings cannot be compared"):
        compare(published, torn)
    text = tmp_path / "text.duckdb"
    text.write_text("no database at all " * 1000)
    with pytest.raises(
        ReelhouseError, match=r"text\.duckdb is not a DuckDB database, so it cannot be"
    ):
        compare(text, published)


# --- the command


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


def test_the_exit_status_tells_equal_from_different_from_neither(
    publish: Publish, tmp_path: Path
) -> None:
    left, right = publish("left"), publish("right")
    other = publish("other", "delete from serving.films where film_id = 1")
    for output in ("text", "markdown", "json"):
        assert call(left, right, "--format", output).exit_code == 0
        assert call(left, other, "--format", output).exit_code == 1
        result = call(left, tmp_path / "nowhere", "--format", output)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert result.stderr.startswith("reelhouse: ")
    result = call(left, tmp_path / "nowhere", "--debug")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr


def test_a_person_reads_of_equal_tables_in_one_line(publish: Publish) -> None:
    left, right = publish("left"), publish("right")
    result = call(left, right)
    assert result.stdout.splitlines() == [
        "Equal as views of equal tables: titles",
        "Ignored: films.loaded_at",
        "All 3 tables are equal.",
    ]
    listed = call(left, right, "--all").stdout
    assert [line.split()[0] for line in listed.splitlines()[2:5]] == [
        "films",
        "sightings",
        "titles",
    ]


def test_a_person_reads_how_tables_differ(publish: Publish) -> None:
    other = publish(
        "other",
        """
            update serving.films set title = '[bold]1[/]' where film_id = 1;
            update serving.films set title = null where film_id = 4;
            delete from serving.films where film_id = 2;
            alter table serving.sightings alter times type varchar;
        """,
    )
    said = call(publish("left"), other).stdout
    assert "films, by film_id\n" in said
    assert "  changed: title in 2 rows\n" in said
    assert "  film_id 1: title 'One' left, '[bold]1[/]' right\n" in said
    assert "  film_id 4: title 'Four' left, null right\n" in said
    assert "  only left: film_id 2\n" in said
    assert "sightings, by whole rows, since the sides have no common key\n" in said
    assert "  column times: INTEGER left, VARCHAR right\n" in said
    assert "titles, by film_id\n" in said
    assert said.endswith("3 of 3 tables differ.\n")


def test_names_are_whole_in_eighty_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(show.out, "width", 80)
    name = "mart_user_behaviour_by_genre"
    number = 48_000_000
    comparison = Comparison(
        [
            TableComparison(
                name, number, number, "rows", ("a",), number, number, number, {"b": 1}
            )
        ]
    )
    with show.out.capture() as captured:
        as_text(comparison)
    lines = captured.get().splitlines()
    assert any(line.startswith(f"{name} ") for line in lines)
    assert max(map(len, lines)) <= 80
    # All digits of the five numbers are shown.
    assert captured.get().count("0") == 5 * 6


def test_a_program_reads_json(publish: Publish) -> None:
    left = publish("left")
    other = publish(
        "other",
        """
            update serving.films set score = 3, price = 1.10, seen_at = null
                where film_id = 1;
            update serving.films set score = 2 where film_id = 2;
        """,
    )
    result = call(left, other, "--format", "json")
    assert result.stderr == ""
    told = json.loads(result.stdout, parse_constant=pytest.fail)
    assert list(told) == ["left", "right", "is_equal", "tables"]
    assert (told["left"], told["right"]) == (str(left), str(other))
    assert told["is_equal"] is False
    films, sightings, _ = told["tables"]
    assert list(films) == [
        "is_equal",
        "name",
        "left_rows",
        "right_rows",
        "method",
        "key",
        "only_left",
        "only_right",
        "changed",
        "changed_columns",
        "column_differences",
        "is_reordered",
        "ignored_columns",
        "left_examples",
        "right_examples",
        "changes",
    ]
    assert sightings["is_equal"] is True
    assert films["changed_columns"] == {"score": 2, "price": 1, "seen_at": 1}
    assert [[*each.values()] for each in films["changes"]] == [
        [{"film_id": 1}, "score", 1.5, 3.0],
        [{"film_id": 1}, "price", "9.90", "1.10"],
        [{"film_id": 1}, "seen_at", "2026-01-01T10:00:00", None],
    ]
    told = json.loads(call(other, left, "--format", "json").stdout)
    assert told["tables"][0]["is_equal"] is False
    gone = publish("gone", "delete from serving.films where film_id = 2")
    told = json.loads(
        call(left, gone, "--format", "json").stdout, parse_constant=pytest.fail
    )
    assert told["tables"][0]["left_examples"] == [
        {"film_id": 2, "title": None, "score": "nan", "price": None, "seen_at": None}
    ]


def test_a_pull_request_shows_values_as_they_are(publish: Publish) -> None:
    other = publish(
        "other",
        """
            update serving.films set
                title = '| <b>*x*</b> @all #1 _e_ `c` [d](e) :f: www.g.h' || chr(10)
            where film_id = 1
        """,
    )
    said = call(publish("left"), other, "--format", "markdown").stdout
    lines = said.splitlines()
    assert "| films | 4 | 4 | 0 | 0 | 1 |" in lines
    assert "| sightings |" not in said
    assert (
        "| sightings | 4 | 4 | 0 | 0 | – |"
        in call(
            publish("again"), other, "--format", "markdown", "--all"
        ).stdout.splitlines()
    )
    assert "**2 of 3 tables differ.**" in lines
    (value,) = [line for line in lines if line.startswith("- film_id 1: title ")][:1]
    planted = value.partition(" left, ")[2]
    assert not set("|<>*@`[]!\\") & set(planted)
    assert "_e_" not in planted
    assert ":f:" not in planted
    assert "www." not in planted
