"""After an edit of the contract, loaded rows are judged again, on both engines."""

from __future__ import annotations

import hashlib
import inspect
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlfluff.core import Linter
from tests.delivery import MOVIES, RATINGS, Delivery, csv
from tests.project import PROJECT

from reelhouse import contract
from reelhouse.contract import entities
from reelhouse.engines import warehouse
from reelhouse.engines.duckdb import backup
from reelhouse.engines.duckdb import load as duckdb
from reelhouse.engines.duckdb.attempt import other_source
from reelhouse.engines.snowflake import load as snowflake
from reelhouse.engines.snowflake.connection import Account, open_account
from reelhouse.errors import ReelhouseError
from reelhouse.ingest import exactness, load, records, rules
from reelhouse.ingest.load import LoadReport
from reelhouse.ingest.source import Bucket
from reelhouse.serving.publish import build_of
from reelhouse.transform import state

MOMENT = datetime(2026, 1, 1)
# The code that judges records. If its hash differs from the one in JUDGED_BY, raise
# INGEST_VERSION if any record may be judged differently than before, and write the new
# hash in any case.
JUDGES: tuple[Any, ...] = (
    records,
    rules,
    exactness,
    *(warehouse.Warehouse.insert_new, warehouse.Warehouse.insert_rejects),
    *(duckdb.Warehouse.whole_text, duckdb.Warehouse.try_cast, duckdb._select),
    *(duckdb.Warehouse.read, duckdb.Warehouse.read_again, duckdb.Warehouse.land),
    *(snowflake.Warehouse.whole_text, snowflake.Warehouse.try_cast),
    *(snowflake._well_formed, snowflake.Warehouse.read),
    *(snowflake.Warehouse.read_again, snowflake.Warehouse.land),
)
JUDGED_BY = (2, "4a9f2b499b21e7a38e678769d4c7e916325e38a15a71e7a4d752f3d3a3017555")

Declare = Callable[..., None]


@dataclass
class Desk:
    """A delivery, and a warehouse of either engine to load it into."""

    delivery: Delivery
    is_prod: bool

    def put(self, **lines: list[str]) -> None:
        self.delivery.put({f"{name}.csv": csv(name, lines[name]) for name in lines})

    def load(self, **options: Any) -> LoadReport:
        if not self.is_prod:
            return self.delivery.load(**options)
        settings = replace(self.delivery.settings, target="prod")
        source = Bucket(self.delivery.s3, self.delivery.url)
        with snowflake.open_warehouse(settings) as warehouse:
            return load.load(settings, source, warehouse, **options)

    def rows(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements and return the rows of the last one."""
        if self.is_prod:
            with open_account("prod") as account:
                *_, rows = map(account.ask, statements)
                return rows
        self.delivery.close()
        with duckdb.open_warehouse(self.delivery.settings.database) as opened:
            *_, answer = map(opened.connection.execute, statements)
            return answer.fetchall()

    def ratings(self) -> list[tuple[Any, ...]]:
        """Return rating, load and removal of every row."""
        return self.rows(
            "select rating, load_id, removed_load_id from raw.ratings "
            "order by rating, load_id"
        )


@pytest.fixture(
    params=[
        pytest.param("dev", marks=pytest.mark.long),
        pytest.param("prod", marks=pytest.mark.nightly),
    ]
)
def desk(
    request: pytest.FixtureRequest,
    delivery: Delivery,
) -> Desk:
    is_prod = request.param == "prod"
    if is_prod:
        request.getfixturevalue("in_account")
    delivery.moment = MOMENT
    return Desk(delivery, is_prod)


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Declare]:
    """A function that edits the original declaration of the files in a copy."""
    staging = tmp_path / "staging"
    shutil.copytree(PROJECT / contract.STAGING, staging)
    file = staging / "movielens/_movielens__sources.yml"
    text = file.read_text()
    monkeypatch.setattr(contract, "STAGING", staging)

    def edit(*edits: tuple[str, str]) -> None:
        edited = text
        for before, after in edits:
            assert before in edited
            edited = edited.replace(before, after, 1)
        file.write_text(edited)
        entities.cache_clear()

    yield edit
    monkeypatch.undo()
    entities.cache_clear()


TYPE = "data_type: decimal(2,1)"
RANGE = "{header: rating, min: 0.5, max: 5, step: 0.5}"
WIDE = (
    (TYPE, "data_type: decimal(3,2)"),
    (RANGE, "{header: rating, min: 0.5, max: 5, step: 0.01}"),
)
UP_TO_TEN = (RANGE, "{header: rating, min: 0.5, max: 10, step: 0.5}")
FROM_FOUR_AND_A_HALF = (RANGE, "{header: rating, min: 4.5, max: 5, step: 0.5}")
STARS = (RANGE, RANGE.replace("header: rating", "header: stars"))
MOOD = (
    "          - name: rated_epoch\n",
    "          - name: mood\n"
    "            description: How the user felt.\n"
    "            data_type: varchar\n"
    "            config: {meta: {header: mood}}\n"
    "          - name: rated_epoch\n",
)
FOUR, HALF, FIVE = Decimal("4.0"), Decimal("0.5"), Decimal("5.0")


def test_a_wider_type_never_rounds(desk: Desk, declare: Declare) -> None:
    desk.load()
    declare(*WIDE)
    desk.put(ratings=[*RATINGS, "7,1,3.57,1104982703"])
    desk.load()
    assert desk.ratings() == [
        (HALF, 1, None),
        (Decimal("3.50"), 1, None),
        (Decimal("3.57"), 2, None),
        (FOUR, 1, None),
        (FIVE, 1, None),
    ]


def test_what_a_range_lets_in_is_loaded(desk: Desk, declare: Declare) -> None:
    desk.put(ratings=[*RATINGS, "7,1,7.0,1104982703", "7,2,x,1104982703"])
    assert desk.load().rejected == 2
    declare(UP_TO_TEN)
    report = desk.load()
    (entry,) = report.entries
    assert (entry.file, entry.status, entry.rows_new, entry.rows_rejected) == (
        *("ratings.csv", "replaced"),
        *(1, 1),
    )
    assert desk.ratings()[-2:] == [(FIVE, 1, None), (Decimal("7.0"), 2, None)]
    assert desk.rows(
        "select record_number, load_id, removed_load_id from raw.rejects order by 1, 2"
    ) == [(5, 1, 2), (6, 1, 2), (6, 2, None)]


def test_what_a_range_keeps_out_is_removed(desk: Desk, declare: Declare) -> None:
    desk.load()
    before = desk.rows("select * from raw.ratings order by user_id, movie_id")
    declare(FROM_FOUR_AND_A_HALF)
    report = desk.load()
    assert report.reject_reasons == {("ratings.csv", "rating: below 4.5"): 3}
    assert [row[1:] for row in desk.ratings()] == [*[(1, 2)] * 3, (1, None)]
    declare()
    assert desk.load().rejected == 0
    live = "select * exclude (load_id) from raw.ratings where removed_load_id is null"
    again = desk.rows(f"{live} order by user_id, movie_id")
    assert again == [(*row[:5], *row[6:]) for row in before]
    assert desk.load().load_id is None


def test_a_shrinkage_by_other_rules_is_told(desk: Desk, declare: Declare) -> None:
    desk.delivery.max_shrink = 0.1
    desk.load()
    before = desk.ratings()
    declare(FROM_FOUR_AND_A_HALF)
    with pytest.raises(ReelhouseError) as raised:
        desk.load()
    assert str(raised.value) == (
        "ratings would lose 3 of its 4 rows because the rules for its records changed, "
        "more than the limit of 10%: check the delivery and what models/staging "
        "declares, then load with --accept-shrink (or set "
        "REELHOUSE_MAX_SHRINK)."
    )
    assert desk.ratings() == before
    assert desk.load(accept_shrink=True).load_id == 2


def test_what_is_declared_no_more_goes_only_when_asked(
    desk: Desk, declare: Declare
) -> None:
    desk.put(tags=["1,1,sea,1104982703"])
    desk.load()
    declare(("- name: tags", "- name: labels"), ("file: tags", "file: labels"))
    rows = "select load_id, removed_load_id from raw.tags"
    with pytest.raises(
        ReelhouseError, match=r"no longer declares tags, but raw\.tags has"
    ):
        desk.load()
    assert desk.rows(rows) == [(1, None)]
    assert desk.load(accept_shrink=True).load_id == 2
    assert desk.rows(rows) == [(1, 2)]
    declare()
    assert desk.load().live_rows["tags"] == 1


def test_files_to_be_judged_again_are_out_of_date(
    delivery: Delivery, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery.load()
    movies, ratings = (
        state.Node(name, "model", "table", name, (), "", "", "", (f"raw.{name}",))
        for name in ("movies", "ratings")
    )
    published = replace(ratings, published={"ignored_columns": [], "key_columns": []})
    nodes = {"movies": movies, "ratings": published}
    none = "select '', '' where false"
    tree = state.Tree(nodes, none, none, ("node",))
    monkeypatch.setattr(state, "read_tree", lambda _: tree)
    assert {*state.state_of(delivery.settings).stale.values()} == {state.NOT_BUILT}
    declare(UP_TO_TEN)
    found = state.state_of(delivery.settings)
    assert found.stale == {"ratings": state.OTHER_CONTRACT, "movies": state.NOT_BUILT}
    with pytest.raises(ReelhouseError, match=r"its files again.* Run `reelhouse run`"):
        build_of(found)


def test_a_contract_that_changes_no_verdict_makes_no_load(
    desk: Desk, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put(ratings=[*RATINGS, "7,1,70.0,1104982703"])
    desk.load()
    declare(UP_TO_TEN)
    report = desk.load()
    assert (report.load_id, report.unchanged) == (None, 2)
    assert desk.rows("select contract from raw.objects where entity = 'ratings'") == [
        (entities()["ratings"].contract,)
    ]
    monkeypatch.setattr(Bucket, "fetch", None)
    assert desk.load().load_id is None


def test_a_reason_that_is_another_now_is_told(desk: Desk, declare: Declare) -> None:
    desk.put(ratings=[*RATINGS, "7,1,7.0,1104982703"])
    desk.load()
    declare((RANGE, "{header: rating, min: 0.5, max: 6, step: 0.5}"))
    report = desk.load()
    assert report.load_id == 2
    assert report.reject_reasons == {("ratings.csv", "rating: above 6"): 1}
    assert {row[1:] for row in desk.ratings()} == {(1, None)}


def test_a_column_more_and_a_column_less(desk: Desk, declare: Declare) -> None:
    desk.load()
    declare(MOOD)
    lines = [line.replace(",4.0,", ",4.0,glad,") for line in RATINGS[:1]]
    desk.put(ratings=lines)
    desk.load()
    shown = "select rating, mood, load_id, removed_load_id from raw.ratings order by 1"
    assert desk.rows(shown + ", load_id") == [
        (HALF, None, 1, 2),
        (Decimal("3.5"), None, 1, 2),
        (FOUR, None, 1, 2),
        (FOUR, "glad", 2, None),
        (FIVE, None, 1, 2),
    ]
    declare()
    desk.put(ratings=RATINGS)
    desk.load()
    assert desk.ratings()[:2] == [(HALF, 1, 2), (HALF, 3, None)]
    # The row that is in both files remains.
    assert (FOUR, 2, None) in desk.ratings()
    assert len(desk.ratings()) == 8


@pytest.mark.long
def test_rejects_of_an_older_version_are_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(contract, "INGEST_VERSION", 1)
        entities.cache_clear()
        desk.put(ratings=[*RATINGS, "7,1,x,1", "7,1,4.0,99999999999"])
        desk.load()
        desk.rows(
            "alter table raw.rejects drop column future_epoch",
            "update raw.rejects set reason = 'timestamp: more than a day later than "
            "the object itself' where record_number = 6",
        )
    entities.cache_clear()
    assert desk.load().load_id == 2
    assert desk.rows(
        "select record_number, load_id, removed_load_id, future_epoch "
        "from raw.rejects order by 1, 2"
    ) == [
        (5, 1, 2, None),
        (5, 2, None, None),
        (6, 1, 2, None),
        (6, 2, None, 99999999999),
    ]
    assert {row[1:] for row in desk.ratings()} == {(1, None)}


def test_columns_take_another_order(desk: Desk, declare: Declare) -> None:
    desk.load()
    before = desk.ratings()
    user, movie = "          - *user_id\n", "          - *movie_id\n"
    declare((user + movie, movie + user))
    desk.put(
        ratings=[
            f"{line.split(',')[1]},{line.split(',')[0]},{line.split(',', 2)[2]}"
            for line in RATINGS
        ]
    )
    desk.load()
    assert desk.ratings() == before
    assert desk.rows("select * from raw.ratings where rating = 3.5")[0][:2] == (2, 1)


def columns(desk: Desk) -> list[tuple[Any, ...]]:
    return desk.rows(
        "select column_name, data_type, numeric_precision, numeric_scale "
        "from information_schema.columns where lower(table_schema) = 'raw' "
        "and lower(table_name) = 'ratings' order by ordinal_position"
    )


def test_a_narrower_type_stops_the_load(desk: Desk, declare: Declare) -> None:
    declare(*WIDE)
    desk.put(ratings=[*RATINGS, "7,1,3.57,1104982703"])
    desk.load()
    # Removed rows are kept too.
    desk.put(ratings=RATINGS)
    desk.load()
    before = desk.ratings(), columns(desk)
    declare()
    with pytest.raises(ReelhouseError) as raised:
        desk.load()
    assert str(raised.value).startswith(
        "rating in raw.ratings cannot be converted to decimal(2,1) without changing 1 "
        "of the rows, removed ones included: keep the type decimal(3,2) in "
        "models/staging, or set "
    )
    assert (desk.ratings(), columns(desk)) == before
    declare(*WIDE)
    assert desk.load().load_id is None


@pytest.mark.long
def test_a_type_goes_to_and_fro_where_every_value_fits(
    desk: Desk, declare: Declare
) -> None:
    desk.load()
    before = desk.ratings(), columns(desk)
    for data_type in ("decimal(3,2)", "double", "varchar", "decimal(2,1)"):
        declare((TYPE, f"data_type: {data_type}"))
        assert desk.load().load_id is None
    assert (desk.ratings(), columns(desk)) == before


def test_a_double_becomes_what_it_was_made_of(desk: Desk, declare: Declare) -> None:
    texts = ["0.1", "0.3", "0.00800000000000001", "1"]
    lines = [f"{number},1,{text}" for number, text in enumerate(texts, 1)]
    desk.delivery.put({"genome-scores.csv": csv("genome_scores", lines)})
    desk.load()
    declare(("data_type: double", "data_type: decimal(38,30)"))
    assert desk.load().load_id is None
    found = desk.rows("select relevance from raw.genome_scores order by movie_id")
    assert found == [(Decimal(text),) for text in texts]


def test_a_warehouse_of_another_source_is_left_as_it_is(
    desk: Desk, declare: Declare
) -> None:
    desk.load()
    before = columns(desk)
    declare(*WIDE)
    desk.delivery.folder = "elsewhere"
    desk.put(ratings=RATINGS, movies=MOVIES)
    with pytest.raises(ReelhouseError, match=r"belongs to s3:.*/source at .*, not to"):
        desk.load()
    assert columns(desk) == before


def test_a_run_asks_whose_a_warehouse_is_and_changes_nothing(
    delivery: Delivery, declare: Declare
) -> None:
    desk = Desk(delivery, is_prod=False)
    desk.load()
    before = columns(desk)
    declare(*WIDE)
    delivery.close()
    database, own = delivery.settings.database, delivery.settings.source_name
    assert other_source(database, own) is None
    assert other_source(database, "elsewhere") == own
    assert columns(desk) == before


def test_files_of_another_name_take_the_place(desk: Desk, declare: Declare) -> None:
    desk.load()
    declare(("{file: ratings, required", "{file: stars, required"))
    desk.delivery.put({"stars.csv": csv("ratings", RATINGS[:1])})
    assert {entry.status for entry in desk.load().entries} == {"removed", "loaded"}
    assert [row[1:] for row in desk.ratings()] == [
        *[(1, 2)] * 2,
        *[(1, 2), (2, None)],
        (1, 2),
    ]


def test_a_table_of_another_name_takes_the_files(desk: Desk, declare: Declare) -> None:
    desk.load()
    declare(("      - name: ratings\n", "      - name: stars\n"))
    (entry,) = desk.load().entries
    assert (entry.entity, entry.status, entry.rows_new) == ("stars", "loaded", 4)
    assert [row[1:] for row in desk.ratings()] == [(1, 2)] * 4
    assert desk.load().load_id is None


def test_an_edit_that_did_not_load_is_taken_back(desk: Desk, declare: Declare) -> None:
    """On Snowflake the column has been dropped by then, because DDL commits."""
    declare(MOOD)
    lines = [line.replace(",4.0,", ",4.0,glad,") for line in RATINGS[:1]]
    desk.put(ratings=lines)
    desk.load()
    declare()
    with pytest.raises(ReelhouseError, match="has other columns"):
        desk.load()
    declare(MOOD)
    desk.load()
    live = "select rating, mood from raw.ratings where removed_load_id is null"
    assert desk.rows(live) == [(FOUR, "glad")]


@pytest.mark.long
@pytest.mark.parametrize("edit", [MOOD, STARS], ids=["a column more", "a header"])
def test_rows_of_a_refused_file_stay_those_of_their_contract(
    desk: Desk, declare: Declare, edit: tuple[str, str]
) -> None:
    desk.load()
    first = desk.ratings()
    declare(edit)
    report = desk.load(on_error="skip-file")
    assert [entry.status for entry in report.entries] == ["refused"]
    again = desk.load(on_error="skip-file")
    assert again.load_id is None
    assert again.refused == ["ratings.csv has not changed since it was refused."]
    assert desk.ratings() == first
    declare()
    assert desk.load(on_error="skip-file").refused == []
    assert desk.ratings() == first
    assert desk.load(on_error="skip-file").load_id is None


def test_zeros_behind_the_last_place_change_nothing(desk: Desk) -> None:
    texts = ["4.00", "3.50", "4." + "0" * 30, "4", "3.57", "4.05", "4.000x"]
    desk.put(ratings=[f"1,{n},{text},1104982703" for n, text in enumerate(texts, 1)])
    reason = ("ratings.csv", "rating: does not fit decimal(2,1)")
    assert desk.load().reject_reasons == {
        reason: 2,
        ("ratings.csv", "rating: not a number"): 1,
    }
    assert [row[0] for row in desk.ratings()] == [Decimal("3.5"), FOUR, FOUR, FOUR]


# Numbers, keys and moments of loads


def test_every_load_has_a_key_of_its_own(desk: Desk) -> None:
    desk.load()
    desk.put(ratings=RATINGS[:1])
    desk.load()
    keys = [key for (key,) in desk.rows("select load_key from raw.loads")]
    assert len(set(keys)) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", key) for key in keys)


NODES = (
    "create schema if not exists state",
    "create table state.nodes (node varchar, load_id bigint, loaded_at timestamp)",
)


@pytest.mark.long
def test_a_number_that_dbt_has_seen_is_not_given_again(desk: Desk) -> None:
    desk.load()
    desk.rows(*NODES)
    desk.put(ratings=RATINGS[:3])
    assert desk.load().load_id == 2
    desk.rows("insert into state.nodes values ('a', 7, '2026-02-01 00:00:00')")
    desk.put(ratings=RATINGS[:2])
    assert desk.load().load_id == 8
    desk.put(ratings=RATINGS[:1])
    assert desk.load().load_id == 9
    assert desk.rows("select load_id, loaded_at from raw.loads order by 1") == [
        (1, MOMENT),
        (2, datetime(2026, 1, 1, 0, 0, 1)),
        (8, datetime(2026, 2, 1, 0, 0, 1)),
        (9, datetime(2026, 2, 1, 0, 0, 2)),
    ]


@pytest.mark.long
def test_an_older_warehouse_is_taken_on(desk: Desk) -> None:
    desk.put(ratings=[*RATINGS, "x,1,7.0,1104982703"])
    desk.load()
    tables = ["ratings", "movies", "rejects", "load_objects", "objects", "loads"]
    desk.rows(
        "alter table raw.loads drop column load_key",
        "alter table raw.objects drop column contract",
        "select 1",
    )
    before = [desk.rows(f"select * from raw.{name} order by 1, 2") for name in tables]
    assert desk.load().load_id is None
    *same, objects, loads = (
        desk.rows(f"select * from raw.{name} order by 1, 2") for name in tables
    )
    assert same == before[:4]
    assert [row[:-1] for row in objects] == before[4]
    assert {row[-1] for row in objects} == {
        entities()[name].contract for name in ("movies", "ratings")
    }
    ((number, key, *rest),) = loads
    assert [(number, *rest)] == before[5]
    assert re.fullmatch("[0-9a-f]{32}", key)
    desk.load()
    assert desk.rows("select load_key from raw.loads") == [(key,)]


@pytest.mark.long
def test_a_trial_leaves_a_local_warehouse_as_it_was(
    delivery: Delivery, declare: Declare
) -> None:
    desk = Desk(delivery, is_prod=False)
    desk.load()
    before = desk.ratings(), columns(desk)
    declare(*WIDE, ("      - name: tags\n", "      - name: labels\n"))
    assert desk.load(validate=True).load_id is None
    assert (desk.ratings(), columns(desk)) == before
    assert desk.rows("select * from duckdb_tables() where table_name = 'labels'") == []


@pytest.mark.long
def test_a_backup_of_another_declaration_comes_back_exactly(
    delivery: Delivery, declare: Declare, tmp_path: Path
) -> None:
    desk, settings = Desk(delivery, is_prod=False), delivery.settings
    declare(*WIDE)
    desk.put(ratings=[*RATINGS, "7,1,3.57,1104982703"])
    desk.load()
    desk.rows("alter table raw.loads drop column load_key", "select 1")
    backup.commit(backup.write(settings.database, settings.backup), settings.backup)
    before = desk.ratings()
    lost, to = tmp_path / "lost", settings.database
    to.unlink()
    declare()
    with pytest.raises(ReelhouseError, match=r"rating in raw\.ratings cannot be conv"):
        backup.recover(lost, settings.backup, settings.source_name, to)
    to.unlink()
    declare(*WIDE)
    backup.recover(lost, settings.backup, settings.source_name, to)
    assert desk.ratings() == before
    assert desk.rows("select count(load_key) from raw.loads") == [(1,)]


def test_snowflake_reads_what_brings_a_table_in_line() -> None:
    ratings = entities()["ratings"]
    found = {"load_id": "bigint", "rating": "bigint", "gone": "varchar"}
    account = snowflake.Warehouse(Account(None, "prod"))
    statements = [
        *account.reshaping(ratings, found),
        *account.reshaping(warehouse.raw_tables()[0], {}),
    ]
    linter = Linter(dialect="snowflake")
    for sql in statements:
        assert linter.parse_string(sql).violations == [], sql


# Values that engines tend to round, trim or guess, for a column of any type.
ODD_VALUES = [
    *("4.00", "3.57", "7", "7.0", "4.5", "1e0", "5e-1", "NaN", "inf", "-0.5", "+1"),
    *(
        "007",
        "0.50",
        "10.5",
        "1.",
        ".5",
        "0x1",
        "1_0",
        "١",
        '"4.0"',
        '"4,0"',
        "0",
        "-0",
    ),
    *("", " ", "\t", "\xa0", "\u2003", " 4.0", "4.0 ", "'", "\\", "x", "1104982703"),
    *("99999999999", "9" * 19, "9" * 40, "0." + "0" * 29 + "1", "0." + "0" * 30 + "1"),
]
ANY_RANGE = (RANGE, "{header: rating}")
CONTRACTS = {
    "as it is": (),
    "a wider decimal": WIDE,
    "a long decimal": ((TYPE, "data_type: decimal(38,30)"), ANY_RANGE),
    "whole decimals": ((TYPE, "data_type: decimal(9,0)"), ANY_RANGE),
    "a double": ((TYPE, "data_type: double"), (RANGE, "{header: rating, above: 0}")),
    "a whole number": (
        (TYPE, "data_type: bigint"),
        (RANGE, "{header: rating, max: 7000000000000000000}"),
    ),
    "a time": (
        (TYPE, "data_type: bigint"),
        (RANGE, "{header: rating, step: 2, is_epoch: true}"),
    ),
    "a text": ((TYPE, "data_type: varchar"), ANY_RANGE),
    "a text or none": (
        (TYPE, "data_type: varchar"),
        (RANGE, '{header: "it\'s", may_be_empty: true}'),
    ),
}


@pytest.mark.nightly
@pytest.mark.usefixtures("in_account")
@pytest.mark.parametrize("edits", CONTRACTS.values(), ids=CONTRACTS)
def test_both_engines_judge_alike_by_any_contract(
    delivery: Delivery,
    declare: Declare,
    edits: tuple[tuple[str, str], ...],
) -> None:
    delivery.moment = MOMENT
    declare(*edits)
    lines = [f"{number},1,{value},1" for number, value in enumerate(ODD_VALUES, 1)]
    lines.append("0,1,4.0,1")
    plain = [line for line in lines if line.isascii() and '"' not in line]
    delivery.put({"ratings/odd.csv": csv("ratings", lines)})
    delivery.put({"ratings.csv": csv("ratings", plain)})
    dev, prod = Desk(delivery, is_prod=False), Desk(delivery, is_prod=True)
    here, there = dev.load(), prod.load()
    assert here.reject_reasons == there.reject_reasons
    assert 0 < here.rejected < len(lines) + len(plain)
    for question in (
        "select user_id, rating, file from raw.ratings",
        "select file, record_number, reason, text, future_epoch from raw.rejects",
    ):
        assert sorted(dev.rows(question), key=repr) == sorted(
            prod.rows(question), key=repr
        )


# The contract itself

DECISIVE = {
    "another type": (TYPE, "data_type: decimal(4,1)"),
    "a type beside the file's columns": (
        "description: \"{{ doc('load_id') }}\"\n    data_type: bigint",
        "data_type: double",
    ),
    "another range": UP_TO_TEN,
    "no range": (RANGE, "{header: rating}"),
    "another header": STARS,
    "a value that may be missing": (
        "header: rating,",
        "header: rating, may_be_empty: true,",
    ),
    "another name": ("- name: rating\n", "- name: stars\n"),
    "another file": ("{file: ratings, ", "{file: stars, "),
    "a key": ("{file: ratings, ", "{file: ratings, key: [user_id], "),
    "a column less": ("          - *user_id\n", ""),
}


@pytest.mark.parametrize("edit", DECISIVE.values(), ids=DECISIVE)
def test_the_contract_is_all_that_decides(
    declare: Declare, edit: tuple[str, str]
) -> None:
    declare()
    before = entities()["ratings"].contract
    declare(edit)
    assert entities()["ratings"].contract != before


def test_what_decides_nothing_is_not_in_the_contract(
    declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare()
    before = entities()["ratings"].contract
    declare(("Stars given", "Stars"), (", required: true", ""))
    assert entities()["ratings"].contract == before
    declare()
    monkeypatch.setattr(contract, "INGEST_VERSION", contract.INGEST_VERSION + 1)
    assert entities()["ratings"].contract != before


def test_whoever_changes_how_records_are_judged_decides_on_the_version() -> None:
    code = "\n".join(inspect.getsource(each) for each in JUDGES)
    found = hashlib.sha256(code.encode()).hexdigest()
    assert (contract.INGEST_VERSION, found) == JUDGED_BY, (
        "What judges records was edited: raise INGEST_VERSION in contract.py if any "
        "record may get another verdict or value, and write the version and this hash "
        "into JUDGED_BY."
    )
