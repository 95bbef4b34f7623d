"""The loader: exact values, every record accounted for, all files or none."""

from __future__ import annotations

import gzip
import hashlib
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.delivery import MOVIES, RATINGS, Delivery, csv
from tests.faults import tally

from reelhouse.contract import unpacked
from reelhouse.engines.duckdb import backup
from reelhouse.engines.duckdb import load as engine
from reelhouse.engines.duckdb.attempt import attempt
from reelhouse.engines.duckdb.connection import connect
from reelhouse.engines.duckdb.load import Warehouse
from reelhouse.engines.warehouse import MAX_LINE_BYTES
from reelhouse.errors import ReelhouseError
from reelhouse.ingest.load import load
from reelhouse.ingest.records import RefusedObject
from reelhouse.ingest.source import Bucket
from reelhouse.movielens.generate import generate
from reelhouse.settings import DEFAULT_MAX_REJECTS

GOOD = "7,1,4.5,1104982703"


@pytest.fixture(params=[engine.PAIRED_AT_ONCE, 2], ids=["at once", "in parts"])
def paired(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replaced file is compared at once, or in parts as a large one would be."""
    monkeypatch.setattr(engine, "PAIRED_AT_ONCE", request.param)


def ratings(*lines: str, line_end: str = "\r\n") -> dict[str, bytes]:
    return {"ratings.csv": csv("ratings", lines, line_end)}


def balance(delivery: Delivery) -> None:
    """Check that records read are rows loaded plus rejects, in ledger and tables."""
    for file, entity, records, loaded, rejected in delivery.rows(
        "select objects.file, objects.entity, entry.records, entry.rows_loaded, "
        "entry.rows_rejected from raw.objects as objects "
        "join raw.load_objects as entry using (file, load_id) "
        "where entry.status <> 'refused'"
    ):
        tally.number(records, loaded + rejected)
        assert records == loaded + rejected
        name = file.replace("'", "''")
        live = f"where file = '{name}' and removed_load_id is null"
        assert delivery.rows(f"select count(*) from raw.{entity} {live}") == [(loaded,)]
        assert delivery.rows(f"select count(*) from raw.rejects {live}") == [
            (rejected,)
        ]


def test_first_load_takes_every_value_exactly(delivery: Delivery) -> None:
    delivery.put(
        {
            "tags.csv": csv("tags", ['1,1,"say ""no""",1', "1,1,  ,2", "1,1,,3"]),
            "links.csv": csv("links", ["1,0114709,862", "2,0000001,"]),
            "genome-tags.csv": csv("genome_tags", ["1,007", '2,"1920s, early"']),
            "genome-scores.csv": csv(
                "genome_scores", ["1,1,0.00800000000000001", "1,2,1", "2,1,2.5E-4"]
            ),
        }
    )
    report = delivery.load()
    assert report.load_id == 1
    assert report.rejected == 0
    assert delivery.live("ratings")[0] == (1, 1, Decimal("4.0"), 964982703)
    assert delivery.live("movies")[1] == (2, "Harbour, The (1999)", "Drama")
    assert [row[2] for row in delivery.live("tags")] == ["", "  ", 'say "no"']
    assert delivery.live("links") == [(1, "0114709", "862"), (2, "0000001", "")]
    assert delivery.live("genome_tags") == [(1, "007"), (2, "1920s, early")]
    assert [row[2] for row in delivery.live("genome_scores")] == [
        0.00800000000000001,
        1.0,
        0.00025,
    ]
    balance(delivery)


def test_record_numbers_are_lines_after_the_header(delivery: Delivery) -> None:
    delivery.put({"movies.csv": csv("movies", [MOVIES[0], "x,Bad,Drama", MOVIES[2]])})
    delivery.load()
    assert delivery.rows(
        "select movie_id, record_number from raw.movies order by all"
    ) == [(1, 1), (3, 3)]


@pytest.mark.long
def test_record_numbers_are_right_where_many_cores_read(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of many buffers, which are spread over the cores."""
    monkeypatch.setattr("reelhouse.engines.duckdb.load.BUFFER_BYTES", 1 << 17)
    lines = [f"{number},{number % 7 + 1},0.5" for number in range(1, 100_001)]
    for bad in (10_000, 60_000):
        lines[bad - 1] = f"{bad},1,7"
    for gone in (0, 1):
        tags = csv("genome_tags", [f"{number},a tag" for number in range(1, 8)])
        scores = csv("genome_scores", lines[gone:])
        delivery.put({"genome-tags.csv": tags, "genome-scores.csv": scores})
        report = delivery.load()
        assert report.rejected == 2
        assert report.live_rows["genome_scores"] == 99_998 - gone
        (right,) = delivery.rows(
            f"select count(*) filter (record_number = movie_id - {gone}) "
            f"from raw.genome_scores where removed_load_id is null"
        )
        assert right == (99_998 - gone,)


REJECTED = {
    "word for a number": ("x,1,4.0,1", "userId: not a whole number"),
    "fraction for a whole number": ("30.6,1,4.0,1", "userId: not a whole number"),
    "exponent in a whole number": ("1e3,1,4.0,1", "userId: not a whole number"),
    "leading zero": ("007,1,4.0,1", "userId: not a whole number"),
    "plus sign": ("+7,1,4.0,1", "userId: not a whole number"),
    "space before a number": (" 7,1,4.0,1", "userId: not a whole number"),
    "number beyond 64 bits": (
        "99999999999999999999,1,4.0,1",
        "userId: not a whole number",
    ),
    "underscore": ("1_0,1,4.0,1", "userId: not a whole number"),
    "digits that are not ASCII": ("١,1,4.0,1", "userId: not a whole number"),
    "empty key": (",1,4.0,1", "userId: empty"),
    "zero key": ("0,1,4.0,1", "userId: below 1"),
    "empty rating": ("7,1,,1", "rating: empty"),
    "more decimals than the type": ("7,1,3.57,1", "rating: does not fit decimal(2,1)"),
    "two digits": ("7,1,30.5,1", "rating: does not fit decimal(2,1)"),
    "rating above the scale": ("7,1,7,1", "rating: above 5"),
    "rating of nothing": ("7,1,0.0,1", "rating: below 0.5"),
    "negative rating": ("7,1,-1.0,1", "rating: below 0.5"),
    "no half star": ("7,1,3.7,1", "rating: not a multiple of 0.5"),
    "not a number at all": ("7,1,NaN,1", "rating: not a number"),
    "exponent in a rating": ("7,1,5e-1,1", "rating: does not fit decimal(2,1)"),
    "negative time": ("7,1,4.0,-1", "timestamp: below 0"),
    "far future": (
        "7,1,4.0,99999999999",
        "timestamp: in the future",
    ),
    "missing column": ("7,1,4.0", "missing column"),
    "extra column": ("7,1,4.0,1,", "extra column"),
    "open quote": ('7,1,"4.0,1', "unbalanced quote"),
    "quote inside a value": ('7,1,4"."0,1', "stray quote"),
    "text behind a closing quote": ('7,1,"4.0"x,1', "stray quote"),
    "NUL byte": ("7,1,4\0.0,1", "NUL byte"),
    "carriage return inside": ("7,1,4.0\r,1", "carriage return inside the line"),
    "blank line": ("", "blank line"),
    "line of spaces": ("   ", "blank line"),
    "huge line": (
        "7,1,4.0," + "1" * MAX_LINE_BYTES,
        f"line longer than {MAX_LINE_BYTES} bytes",
    ),
}


@pytest.mark.fault("8")
def test_a_bad_record_is_kept_aside_alone(delivery: Delivery) -> None:
    """Each bad record is in a separate object, between good ones."""
    files = {
        f"ratings/{number:02}.csv": csv("ratings", [*RATINGS, line, GOOD])
        for number, (line, _) in enumerate(REJECTED.values())
    }
    delivery.remove("ratings.csv")
    delivery.put(files)
    report = delivery.load()
    found = dict(zip(REJECTED, delivery.rejects(), strict=True))
    for (case, (line, reason)), name in zip(REJECTED.items(), files, strict=True):
        *told, text = found[case]
        assert told == [name, len(RATINGS) + 1, reason], case
        assert text.startswith(line[:7].split("\0")[0].split("\r")[0]), case
        assert report.reject_reasons[name, reason] == 1, case
    assert len(delivery.live("ratings")) == len(files) * (len(RATINGS) + 1)
    balance(delivery)


@pytest.mark.fault("8")
def test_text_that_is_not_utf8_is_rejected_and_kept(delivery: Delivery) -> None:
    body = csv("movies", MOVIES) + b"9,Caf\xe9 (1990),Drama\r\n"
    delivery.put({"movies.csv": body})
    delivery.load()
    assert delivery.rejects() == [
        ("movies.csv", 4, "not UTF-8", "9,Caf\\xe9 (1990),Drama")
    ]
    balance(delivery)


@pytest.mark.fault("8")
def test_an_open_quote_swallows_no_neighbour(delivery: Delivery) -> None:
    lines = [MOVIES[0], '8,"Open (1990),Drama', MOVIES[1], '9,Shut" (1991),Drama']
    delivery.put({"movies.csv": csv("movies", [*lines, MOVIES[2]])})
    delivery.load()
    assert [row[0] for row in delivery.live("movies")] == [1, 2, 3]
    assert [row[1:3] for row in delivery.rejects()] == [
        (2, "unbalanced quote"),
        (4, "unbalanced quote"),
    ]
    balance(delivery)


@pytest.mark.fault("8")
def test_every_kind_of_bad_record_at_once(delivery: Delivery) -> None:
    lines = [line for line, _ in REJECTED.values()]
    mixed = [each for line in lines for each in (line, GOOD)]
    delivery.put(ratings(*mixed))
    delivery.load()
    assert [row[2] for row in delivery.rejects()] == [
        reason for _, reason in REJECTED.values()
    ]
    assert len(delivery.live("ratings")) == len(lines)
    balance(delivery)


@pytest.mark.fault("8")
@pytest.mark.parametrize(
    ("offset", "rejected"), [(timedelta(hours=23), 0), (timedelta(hours=25), 1)]
)
def test_the_future_begins_a_day_after_the_object(
    delivery: Delivery, offset: timedelta, rejected: int
) -> None:
    time = int((datetime.now(UTC) + offset).timestamp())
    delivery.put(ratings(*RATINGS, f"7,1,4.0,{time}"))
    assert delivery.load().rejected == rejected


@pytest.mark.long
@pytest.mark.fault("8")
def test_what_was_in_the_future_is_judged_again_when_it_has_come(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)

    def rating(days: int) -> str:
        moment = now.replace(tzinfo=UTC) + timedelta(days=days)
        return f"7,{days},4.0,{int(moment.timestamp())}"

    delivery.put(ratings(*RATINGS, rating(3), rating(5), "7,1,4.0,99999999999", "x"))
    delivery.put({"tags.csv": csv("tags", ["1,1,x,99999999999"])})
    assert delivery.load().rejected == 5
    fetch = Bucket.fetch
    monkeypatch.setattr(Bucket, "fetch", None)
    delivery.moment = now + timedelta(days=1)
    assert delivery.load().load_id is None
    monkeypatch.setattr(Bucket, "fetch", fetch)
    delivery.moment = now + timedelta(days=3)
    (entry,) = delivery.load().entries
    assert (entry.file, entry.status) == ("ratings.csv", "replaced")
    assert (entry.rows_new, entry.rows_removed, entry.rows_rejected) == (1, 0, 3)
    balance(delivery)
    delivery.moment = now + timedelta(days=4)
    assert delivery.load().entries[0].rows_rejected == 2
    assert delivery.load().load_id is None
    delivery.put(ratings(*RATINGS))
    delivery.load()
    assert delivery.load().unchanged == 3


BLANK_TITLES = ["", "  ", "\t", "\xa0", "\u2003", "\u3000\xa0 ", "\ufeff", '" \t"']


@pytest.mark.fault("8")
def test_a_title_that_shows_nothing_is_empty(delivery: Delivery) -> None:
    blank = [f"{number},{title},Drama" for number, title in enumerate(BLANK_TITLES, 7)]
    kept = "5,\tx\xa0,Drama"
    delivery.put({"movies.csv": csv("movies", [*MOVIES, *blank, kept])})
    delivery.load()
    assert [row[2] for row in delivery.rejects()] == ["title: empty"] * len(blank)
    assert (5, "\tx\xa0", "Drama") in delivery.live("movies")
    balance(delivery)


@pytest.mark.fault("8")
@pytest.mark.parametrize("more", ["", '"'], ids=["plain", "with quotes"])
def test_a_long_record_is_kept_cut(delivery: Delivery, more: str) -> None:
    lines = [f"0,1,{'x' * length},1" for length in (4_096 - 6, 4_096 - 5)]
    delivery.put({"tags.csv": csv("tags", [*lines, f"1,1,{more}y{more},1"])})
    delivery.load()
    assert [row[3] for row in delivery.rejects()] == [
        lines[0],
        lines[1][:4_096] + " … (cut after 4096 bytes)",
    ]


MILLISECONDS = [line + "000" for line in RATINGS]


@pytest.mark.fault("8")
def test_a_file_that_is_mostly_bad_stops_the_load(delivery: Delivery) -> None:
    delivery.load()
    before = delivery.rows("from raw.load_objects"), delivery.live("ratings")
    good = [f"8,{number},4.0,1104982703" for number in range(1, 101)]
    bad = [f"9,{number},4.0,1104982703000" for number in range(1, 50)]
    delivery.max_rejects = 0.3
    delivery.put(ratings(*good, *bad, "x,1,4.0,1"))
    with pytest.raises(ReelhouseError) as raised:
        delivery.load()
    assert str(raised.value) == (
        "ratings.csv has 50 bad records among 150 (33.3%), 49 of them for 'timestamp: "
        "in the future', more than the limit of 30%: correct the file, or load with "
        "--accept-rejects (or set REELHOUSE_MAX_REJECTS)."
    )
    assert (delivery.rows("from raw.load_objects"), delivery.live("ratings")) == before
    delivery.max_rejects = 0.34
    assert delivery.load(validate=True).rejected == 50
    delivery.max_rejects = 0
    assert delivery.load(accept_rejects=True).rejected == 50
    # The rejects are not judged again.
    assert delivery.load().load_id is None


@pytest.mark.fault("8")
def test_few_bad_records_are_let_through_unless_they_are_most(
    delivery: Delivery,
) -> None:
    delivery.max_rejects = 0.1
    delivery.put(ratings(GOOD, MILLISECONDS[0]))
    assert delivery.load().rejected == 1
    delivery.put(ratings(GOOD, *MILLISECONDS[:2]))
    with pytest.raises(ReelhouseError, match=r"2 bad records among 3 \(66\.7%\)"):
        delivery.load()


@pytest.mark.long
@pytest.mark.parametrize("count", [1_000, 30_000])
def test_generated_dirt_is_few(delivery: Delivery, tmp_path: Path, count: int) -> None:
    generate(tmp_path / "dirty", count, 1, dirty=True)
    for file in (tmp_path / "dirty").glob("*.csv"):
        delivery.put({file.name: file.read_bytes()})
    delivery.max_rejects = DEFAULT_MAX_REJECTS
    assert delivery.load().rejected > 100


def test_rejects_stay_in_the_engine(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = 0
    ask = Warehouse._rows

    def count(self: Warehouse, sql: str, *values: object) -> list[tuple[object, ...]]:
        nonlocal fetched
        rows = ask(self, sql, *values)
        fetched += len(rows)
        return rows

    monkeypatch.setattr(Warehouse, "_rows", count)
    delivery.put(ratings(*[*RATINGS, "1,1,7.0,1", "1,1,7.0"] * 2_000))
    assert delivery.load().rejected == 4_000
    balance(delivery)
    assert fetched < 200


@pytest.mark.long
@pytest.mark.fault("10")
def test_line_ends_bom_and_a_missing_last_one_change_nothing(
    delivery: Delivery,
) -> None:
    delivery.load()
    expected = delivery.live("ratings")
    crlf = csv("ratings", RATINGS)
    forms = {
        "LF": csv("ratings", RATINGS, "\n"),
        "BOM": b"\xef\xbb\xbf" + crlf,
        "mixed": crlf.replace(b"\r\n", b"\n", 2),
        "no final line break": crlf.removesuffix(b"\r\n"),
    }
    for name, body in forms.items():
        delivery.put({"ratings.csv": body})
        report = delivery.load()
        (entry,) = report.entries
        assert (entry.status, entry.rows_new, entry.rows_removed) == (
            "replaced",
            0,
            0,
        ), name
        assert report.rejected == 0, name
        assert delivery.live("ratings") == expected, name
    balance(delivery)


CUTS = {
    "inside the last number": b"1,1,4.0,96498270",
    "behind the last comma": b"1,1,4.0,",
    "inside a line": b"1,1,4",
}


@pytest.mark.long
@pytest.mark.fault("7")
@pytest.mark.parametrize("end", CUTS.values(), ids=CUTS)
def test_a_cut_last_line_is_never_a_row(delivery: Delivery, end: bytes) -> None:
    delivery.put({"ratings.csv": csv("ratings", RATINGS[1:]) + end})
    report = delivery.load()
    assert report.rejected == 1
    assert len(delivery.live("ratings")) == len(RATINGS) - 1
    balance(delivery)


@pytest.mark.fault("7")
def test_a_cut_genre_is_known_by_its_oddness(delivery: Delivery) -> None:
    whole = csv("movies", [*MOVIES, "4,Whole (2002),Comedy|Drama"]).rstrip()
    delivery.put({"movies.csv": whole})
    assert delivery.load().rejected == 0
    delivery.put({"movies.csv": whole[:-2]})
    assert delivery.load().rejected == 1
    delivery.put({"movies.csv": csv("movies", MOVIES)})
    assert delivery.load().rejected == 0


@pytest.mark.fault("7")
def test_a_cut_link_is_not_taken(delivery: Delivery) -> None:
    delivery.put({"links.csv": csv("links", ["1,0114709,862", "2,0113497,8844"])[:-3]})
    assert delivery.load().rejected == 1
    assert delivery.live("links") == [(1, "0114709", "862")]


STUMPS = {
    "behind the last comma": b"9,New (2003),",
    "behind a separator": b"9,New (2003),Drama|",
}


@pytest.mark.fault("7")
@pytest.mark.parametrize("end", STUMPS.values(), ids=STUMPS)
def test_an_empty_last_value_may_be_cut(delivery: Delivery, end: bytes) -> None:
    movies = csv("movies", [*MOVIES, "8,No genre (2002),"])
    delivery.put({"movies.csv": movies + end})
    assert delivery.load().rejected == 1
    assert [row[0] for row in delivery.live("movies")] == [1, 2, 3, 8]


@pytest.mark.fault("7")
def test_a_last_number_of_any_length_is_no_time(delivery: Delivery) -> None:
    delivery.put({"ratings.csv": csv("ratings", RATINGS) + b"1,1,4.0," + b"9" * 5000})
    assert delivery.load().rejected == 1
    balance(delivery)


@pytest.mark.long
@pytest.mark.fault("8")
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("first", ["1", '"1"'], ids=["plain", "quoted"])
def test_a_line_as_long_as_may_be_is_a_row(
    delivery: Delivery, first: str, line_end: str
) -> None:
    room = MAX_LINE_BYTES - len(f"{first},1,,1")
    lines = [f"{first},1,{'x' * length},1" for length in (room - 1, room, room + 1)]
    delivery.put({"tags.csv": csv("tags", lines, line_end)})
    delivery.load()
    assert [len(row[2]) for row in delivery.live("tags")] == [room - 1, room]
    assert [row[1] for row in delivery.rejects()] == [3]
    balance(delivery)


REFUSED = {
    "zero bytes": (b"", "is empty"),
    "swapped columns": (b"movieId,userId,rating,timestamp\r\n", "in another order"),
    "missing column": (b"userId,movieId,rating\r\n1,1,4.0\r\n", "has other columns"),
    "extra column": (b"userId,movieId,rating,timestamp,x\r\n", "has other columns"),
    "other letter case": (b"userid,movieid,rating,timestamp\r\n", "letter case"),
    "no header": (b"1,1,4.0,964982703\r\n", "has no header"),
    "quoted header": (
        b'"userId","movieId","rating","timestamp"\r\n',
        "has quotes in its header",
    ),
    "old line ends": (b"userId,movieId,rating,timestamp\r1,1,4.0,9\r", "only a carr"),
}
# Bytes that are not CSV, and what the message calls them.
OTHER_FORMS = {
    "gzip": (gzip.compress(b"x"), "compressed data"),
    "a zip archive": (b"PK\x03\x04xxxx", "compressed data"),
    "UTF-16": ("userId".encode("utf-16"), "text in UTF-16"),
    "Parquet": (b"PAR1xxxx", "Parquet"),
    "a login page": (b"<!DOCTYPE html><html>Sign in", "a web page"),
}


@pytest.mark.long
@pytest.mark.fault("9", "10")
@pytest.mark.parametrize(("body", "word"), REFUSED.values(), ids=REFUSED)
def test_an_unreadable_file_stops_the_load(
    delivery: Delivery, body: bytes, word: str
) -> None:
    delivery.put({"ratings.csv": body})
    with pytest.raises(ReelhouseError) as caught:
        delivery.load()
    assert "ratings.csv" in str(caught.value)
    assert word in str(caught.value)
    if body:
        assert "expected 'userId,movieId,rating,timestamp'" in str(caught.value)
    assert not delivery.rows("select * from information_schema.tables")


@pytest.mark.fault("9")
@pytest.mark.parametrize(("body", "words"), OTHER_FORMS.values(), ids=OTHER_FORMS)
def test_a_file_of_another_form_is_named(
    delivery: Delivery, body: bytes, words: str
) -> None:
    delivery.put({"ratings.csv": body})
    with pytest.raises(
        ReelhouseError, match=rf"ratings\.csv contains {words}: deliver CSV"
    ):
        delivery.load()


@pytest.mark.long
@pytest.mark.fault("21")
@pytest.mark.parametrize("year", [1, 9999])
def test_no_moment_is_too_far_away(delivery: Delivery, year: int) -> None:
    delivery.moment = datetime(year, 12, 31, 23, 59, 59)
    delivery.load()
    assert len(delivery.live("ratings")) == len(RATINGS)


@pytest.mark.fault("10")
def test_header_only_is_no_row_and_a_warning(delivery: Delivery) -> None:
    delivery.put({"tags.csv": csv("tags", [])})
    report = delivery.load()
    assert report.warnings == ["tags.csv has a header but no records."]
    assert delivery.live("tags") == []
    balance(delivery)


@pytest.mark.fault("11")
@pytest.mark.parametrize("missing", ["ratings.csv", "movies.csv"])
def test_a_missing_file_is_named_before_anything_is_touched(
    delivery: Delivery, missing: str
) -> None:
    delivery.remove(missing)
    name = missing.removesuffix(".csv")
    words = rf"has no {missing} \(nor {name}/\*\.csv\), which the build needs: add it"
    with pytest.raises(ReelhouseError, match=words):
        delivery.load()
    assert not delivery.rows("select * from information_schema.tables")


@pytest.mark.fault("13")
def test_an_empty_listing_is_an_error_and_removes_nothing(delivery: Delivery) -> None:
    delivery.load()
    delivery.remove("movies.csv", "ratings.csv")
    with pytest.raises(ReelhouseError, match="none of the files"):
        delivery.load()
    assert len(delivery.live("ratings")) == len(RATINGS)


HINTS = {
    "ratings.csv.bz2": "is compressed: unpack it to ratings.csv",
    "rating.csv": "Kaggle variant of ratings.csv",
    "Ratings.csv": "name it ratings.csv",
    "genome_scores.csv": "name it genome-scores.csv",
    "sub/ratings.csv": "the files are in the folder sub: use it as the source",
}


@pytest.mark.fault("9")
@pytest.mark.parametrize(("key", "hint"), HINTS.items(), ids=HINTS)
def test_a_likely_mistake_is_named(delivery: Delivery, key: str, hint: str) -> None:
    delivery.put({key: b"x", "notes.txt": b"x"})
    report = delivery.load()
    assert report.ignored == 2
    (found,) = report.hints
    assert key.removesuffix("/ratings.csv") in found
    assert hint in found


@pytest.mark.long
@pytest.mark.fault("27")
def test_a_compressed_file_is_read_and_known_by_its_own_bytes(
    delivery: Delivery,
) -> None:
    whole = csv("ratings", RATINGS[:2])
    odd = csv("ratings", [*RATINGS[2:], '"9","9","x"'])
    packed = gzip.compress(whole)
    delivery.remove("ratings.csv")
    # Two gzip members in a row are one file.
    parts = gzip.compress(odd[:40]) + gzip.compress(odd[40:])
    files = {"ratings.csv.gz": packed, "ratings/more.CSV.GZ": parts}
    delivery.put(files)
    assert delivery.load().rejected == 1
    assert delivery.live("ratings") == sorted(delivery.live("ratings"))
    assert len(delivery.live("ratings")) == len(RATINGS)
    for key, body in files.items():
        assert delivery.rows(
            f"select sha256, size_bytes from raw.load_objects "
            f"where file = '{unpacked(key)}'"
        ) == [(hashlib.sha256(body).hexdigest(), len(body))]
    # The same rows, compressed differently, and uncompressed.
    for name, body in (
        ("ratings.csv.gz", gzip.compress(whole, mtime=1)),
        ("ratings.csv", whole),
        ("ratings.csv.gz", packed),
    ):
        delivery.remove("ratings.csv.gz", "ratings.csv")
        delivery.put({name: body})
        (entry,) = delivery.load().entries
        assert (entry.file, entry.rows_new, entry.rows_removed) == ("ratings.csv", 0, 0)
    delivery.put({"ratings.csv.gz": packed[:-9]})
    with pytest.raises(RefusedObject, match=r"ratings\.csv\.gz cannot be unpacked"):
        delivery.load()
    report = delivery.load(on_error="skip-file")
    assert [each.records for each in report.entries] == [0]
    assert len(delivery.live("ratings")) == len(RATINGS)


@pytest.mark.fault("12")
def test_the_second_load_of_the_same_loads_nothing(delivery: Delivery) -> None:
    delivery.load()
    before = delivery.rows("from raw.load_objects") + delivery.rows("from raw.ratings")
    report = delivery.load()
    assert (report.load_id, report.unchanged) == (None, 2)
    delivery.put(ratings(*RATINGS))  # the same bytes with a new time
    assert delivery.load().load_id is None
    after = delivery.rows("from raw.load_objects") + delivery.rows("from raw.ratings")
    assert after == before


@pytest.mark.fault("12")
def test_a_new_etag_of_the_same_bytes_is_no_change(delivery: Delivery) -> None:
    delivery.load()
    upload = delivery.client.create_multipart_upload(
        Bucket=delivery.bucket, Key="source/ratings.csv"
    )
    part = {
        "Bucket": delivery.bucket,
        "Key": "source/ratings.csv",
        "UploadId": upload["UploadId"],
    }
    sent = delivery.client.upload_part(
        PartNumber=1, Body=csv("ratings", RATINGS), **part
    )
    delivery.client.complete_multipart_upload(
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": sent["ETag"]}]}, **part
    )
    ledger = delivery.rows("from raw.load_objects")
    assert delivery.load().load_id is None
    assert delivery.rows("from raw.load_objects") == ledger
    etag = delivery.rows("select etag from raw.objects where file = 'ratings.csv'")
    assert etag[0][0].endswith("-1")


@pytest.mark.fault("13")
@pytest.mark.usefixtures("paired")
def test_a_replaced_file_keeps_what_stayed(delivery: Delivery) -> None:
    delivery.load()
    late, changed = "3,1,2.0,900000000", "1,2,1.0,1104982703"
    delivery.put(ratings(late, changed, RATINGS[0], RATINGS[3], RATINGS[3]))
    report = delivery.load()
    (entry,) = report.entries
    assert (entry.rows_loaded, entry.rows_new, entry.rows_removed) == (5, 3, 2)
    assert delivery.rows(
        "select user_id, movie_id, rating, load_id, removed_load_id "
        "from raw.ratings order by all"
    ) == [
        (1, 1, Decimal("4.0"), 1, None),
        (1, 2, Decimal("1.0"), 2, None),
        (1, 2, Decimal("3.5"), 1, 2),
        (2, 1, Decimal("5.0"), 1, 2),
        (2, 3, Decimal("0.5"), 1, None),
        (2, 3, Decimal("0.5"), 2, None),
        (3, 1, Decimal("2.0"), 2, None),
    ]
    balance(delivery)


@pytest.mark.usefixtures("paired")
def test_of_two_records_of_a_key_their_order_counts(delivery: Delivery) -> None:
    twice = ["1,First (1990),Drama", "1,Second (1990),Drama"]
    delivery.put({"movies.csv": csv("movies", twice)})
    delivery.load()
    delivery.put({"movies.csv": csv("movies", [MOVIES[2], *reversed(twice)])})
    delivery.load()
    winner = delivery.rows(
        "select title from raw.movies where removed_load_id is null and movie_id = 1 "
        "order by record_number desc limit 1"
    )
    assert winner == [("First (1990)",)]
    assert delivery.rows(
        "select title, record_number from raw.movies where removed_load_id is null "
        "order by record_number"
    ) == [("Salt (2001)", 1), ("Second (1990)", 2), ("First (1990)", 3)]


@pytest.mark.usefixtures("paired")
def test_a_row_that_only_moved_keeps_its_load(delivery: Delivery) -> None:
    delivery.load()
    delivery.put({"movies.csv": csv("movies", ["9,New (2000),Drama", *MOVIES])})
    report = delivery.load()
    assert (report.entries[0].rows_new, report.entries[0].rows_removed) == (1, 0)
    assert delivery.rows(
        "select movie_id, record_number, load_id from raw.movies order by record_number"
    ) == [(9, 1, 2), (1, 2, 1), (2, 3, 1), (3, 4, 1)]


@pytest.mark.fault("13")
def test_rows_of_an_object_that_left_are_removed(delivery: Delivery) -> None:
    delivery.put({"ratings/more.csv": csv("ratings", [GOOD, "x,1,4.0,1"])})
    delivery.load()
    delivery.remove("ratings/more.csv")
    (entry,) = delivery.load().entries
    assert (entry.status, entry.rows_removed) == ("removed", 1)
    assert len(delivery.live("ratings")) == len(RATINGS)
    assert delivery.rejects() == []
    assert delivery.rows("select count(*) from raw.rejects") == [(1,)]
    delivery.put({"ratings/more.csv": csv("ratings", [GOOD])})
    assert delivery.load().entries[0].status == "loaded"
    assert len(delivery.live("ratings")) == len(RATINGS) + 1


@pytest.mark.fault("13")
def test_rejects_follow_the_object(delivery: Delivery) -> None:
    delivery.put(ratings(*RATINGS, "x,1,4.0,1", "7,1,4.0"))
    delivery.load()
    delivery.put(ratings(*RATINGS, "7,1,9,1"))
    delivery.load()
    assert [row[2] for row in delivery.rejects()] == ["rating: above 5"]
    balance(delivery)


@pytest.mark.fault("13")
def test_any_split_into_objects_gives_the_same_rows(delivery: Delivery) -> None:
    lines = [
        f"{u},{m},{(u + m) % 10 / 2 + 0.5},{9 * 10**8 + u}"
        for u in range(1, 40)
        for m in range(1, 10)
    ]
    delivery.put(ratings(*lines))
    delivery.load()
    expected = delivery.live("ratings")
    delivery.remove("ratings.csv")
    random.Random(4).shuffle(lines)
    for part in range(5):
        name = f"ratings/{part % 2}/part {part}.csv"
        delivery.put({name: csv("ratings", lines[part::5])})
    delivery.load()
    assert delivery.live("ratings") == expected
    balance(delivery)


@pytest.mark.fault("12")
def test_the_same_bytes_under_two_keys_are_reported(delivery: Delivery) -> None:
    delivery.put({"ratings/copy.csv": csv("ratings", RATINGS)})
    report = delivery.load()
    assert report.warnings == ["ratings/copy.csv has the same bytes as ratings.csv."]


STRANGE_KEYS = [
    "ratings/[a-z]*?.csv",
    'ratings/it\'s "quoted".csv',
    "ratings/ü ☂.csv",
    "ratings/'; drop table raw.ratings; --.csv",
    "ratings/a%20b+c.csv",
    "ratings/new\nline.csv",
]


@pytest.mark.fault("18")
def test_keys_are_data(delivery: Delivery) -> None:
    for number, key in enumerate(STRANGE_KEYS):
        delivery.put({key: csv("ratings", [f"{number + 50},1,4.0,964982703"])})
    delivery.load()
    loaded = delivery.rows("select distinct file from raw.ratings")
    assert {row[0] for row in loaded} == {"ratings.csv", *STRANGE_KEYS}
    balance(delivery)


TEXTS = [
    "'; drop table raw.tags; --",
    "{{ env_var('HOME') }}{% raw %}",
    "<script>alert(1)</script><b>&amp;",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "$(id) `id` \\ %s $1 ?",
    "[bold]red[/bold]",
]


@pytest.mark.fault("19")
def test_texts_are_data(delivery: Delivery) -> None:
    delivery.put(
        {
            "tags.csv": csv("tags", [f"1,1,{text},1" for text in TEXTS]),
            "movies.csv": csv(
                "movies", [f"{n},{text},Drama" for n, text in enumerate(TEXTS, 1)]
            ),
        }
    )
    assert delivery.load().rejected == 0
    for table, column in (("tags", "tag"), ("movies", "title")):
        found = [text for (text,) in delivery.rows(f"select {column} from raw.{table}")]
        tally.rows(TEXTS, found)
        assert sorted(found) == sorted(TEXTS)


def test_counts_that_do_not_add_up_stop_the_load(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery.put(ratings(*RATINGS, "x,1,4.0,1"))
    monkeypatch.setattr(Warehouse, "insert_rejects", lambda *_: 0)
    with pytest.raises(ReelhouseError, match=r"they became 4 rows and 0 rejects"):
        delivery.load()
    assert not delivery.rows("select * from information_schema.tables")


def test_a_load_that_does_not_add_up_blames_nobody_else(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery.load()
    delivery.put(ratings(*RATINGS[1:]))
    monkeypatch.setattr(Warehouse, "replace", lambda *_: (0, 0))
    with pytest.raises(ReelhouseError, match="nothing is loaded; please report it"):
        delivery.load()


@pytest.mark.fault("8")
def test_abort_loads_nothing(delivery: Delivery) -> None:
    delivery.put(ratings(*RATINGS, "x,1,4.0,1"))
    words = "1 bad record among 5 .*record 5: userId: not a whole number"
    with pytest.raises(ReelhouseError, match=words):
        delivery.load(on_error="abort")
    assert not delivery.rows("select * from information_schema.tables")


@pytest.mark.fault("8")
def test_skip_file_refuses_the_file_and_takes_the_rest(delivery: Delivery) -> None:
    delivery.put({"ratings/bad.csv": csv("ratings", [GOOD, "x,1,4.0,1"])})
    report = delivery.load(on_error="skip-file")
    assert [entry.status for entry in report.entries] == ["loaded", "refused", "loaded"]
    assert len(delivery.live("ratings")) == len(RATINGS)
    balance(delivery)
    again = delivery.load(on_error="skip-file")
    assert again.load_id is None
    assert again.refused == ["ratings/bad.csv has not changed since it was refused."]
    third = delivery.load()
    assert third.rejected == 1
    assert third.entries[0].status == "loaded"
    assert len(delivery.live("ratings")) == len(RATINGS) + 1
    balance(delivery)


@pytest.mark.fault("8")
def test_skip_file_keeps_what_a_refused_delivery_would_replace(
    delivery: Delivery,
) -> None:
    delivery.load()
    delivery.put(ratings("x,1,4.0,1"))
    delivery.load(on_error="skip-file")
    assert len(delivery.live("ratings")) == len(RATINGS)
    delivery.put(ratings(*RATINGS, GOOD))
    assert delivery.load().entries[0].rows_new == 1
    assert delivery.rows("select refused_sha256 from raw.objects") == [(None,)] * 2


@pytest.mark.fault("8")
def test_skip_file_cannot_do_without_a_required_file(delivery: Delivery) -> None:
    delivery.put({"movies.csv": b"nonsense\n"})
    with pytest.raises(ReelhouseError, match="Every movies file was refused"):
        delivery.load(on_error="skip-file")


def test_validate_says_all_and_changes_nothing(delivery: Delivery) -> None:
    delivery.put(ratings(*RATINGS, "x,1,4.0,1"))
    report = delivery.load(validate=True)
    assert report.load_id is None
    assert report.reject_reasons == {("ratings.csv", "userId: not a whole number"): 1}
    assert [entry.rows_loaded for entry in report.entries] == [4, 3]
    assert not delivery.rows("select * from information_schema.tables")


@pytest.mark.fault("13")
def test_deliveries_are_loaded_in_their_order(delivery: Delivery) -> None:
    later = {
        # The files that it lacks stay, and another one is added.
        "2026-01-31/movies.csv": csv("movies", ["1,Lamps (1994),Drama", *MOVIES[1:]]),
        "2026-01-31/ratings/more.csv": csv(
            "ratings", ["3,1,5.0,1164982931", "x,1,4,1"]
        ),
        "2026-01-31T1830/ratings/more.csv": csv("ratings", ["3,2,5.0,1164982931"]),
    }
    delivery.put(later)
    told = [delivery.load(validate=True), *(delivery.load() for _ in range(4))]
    assert [(each.load_id, each.delivery, each.waiting) for each in told] == [
        (None, "", 2),
        (1, "", 2),
        (2, "2026-01-31", 1),
        (3, "2026-01-31T1830", 0),
        (None, "2026-01-31T1830", 0),
    ]
    assert [len(each.entries) for each in told[1:]] == [2, 2, 1, 0]
    assert told[2].live_rows["ratings"] == told[3].live_rows["ratings"] == 5
    assert (told[2].rejected, delivery.rejects()) == (1, [])
    assert delivery.rows(
        "select title, load_id, removed_load_id from raw.movies where movie_id = 1 "
        "order by load_id"
    ) == [("Lantern (1994)", 1, 2), ("Lamps (1994)", 2, None)]
    assert delivery.rows("select distinct file from raw.ratings order by all") == [
        ("ratings.csv",),
        ("ratings/more.csv",),
    ]
    balance(delivery)


def test_a_delivery_that_changes_nothing_is_passed(delivery: Delivery) -> None:
    delivery.put({"2026-01-31/movies.csv": csv("movies", MOVIES)})
    delivery.put({"2026-02-28/movies.csv": csv("movies", MOVIES[:2])})
    reports = [delivery.load()]
    for _ in range(2):
        reports.append(delivery.load(after=reports[-1]))
    assert [(each.load_id, each.delivery, each.waiting) for each in reports] == [
        (1, "", 2),
        (None, "2026-01-31", 1),
        (2, "2026-02-28", 0),
    ]


def test_a_delivery_dated_in_the_future_overrules_nothing(delivery: Delivery) -> None:
    delivery.put({"2999-01-01/movies.csv": csv("movies", MOVIES[:1])})
    report = delivery.load()
    assert (report.delivery, report.live_rows["movies"]) == ("", 3)
    assert report.hints == [
        "the delivery 2999-01-01 is dated in the future, and waits until then "
        "unless it is already loaded: rename its folder if the date is wrong"
    ]
    delivery.moment = datetime(2998, 12, 31)
    assert delivery.load().live_rows["movies"] == 1
    # With a clock that is set back, the loaded delivery stays.
    delivery.moment = None
    report = delivery.load()
    assert (report.load_id, report.live_rows["movies"]) == (None, 1)
    assert "2999-01-01 is dated in the future" in report.hints[0]


def test_loads_begin_with_the_delivery_that_completes_the_files(
    delivery: Delivery,
) -> None:
    delivery.put({f"2026-01-31/{e}.csv": csv(e, []) for e in ("movies", "tags")})
    delivery.put({"2026-02-28/ratings.csv": csv("ratings", RATINGS)})
    delivery.put({"2026-03-31/movies.csv": csv("movies", MOVIES)})
    delivery.remove("movies.csv", "ratings.csv")
    reports = [delivery.load(), delivery.load()]
    assert [(each.delivery, each.waiting) for each in reports] == [
        ("2026-02-28", 1),
        ("2026-03-31", 0),
    ]
    delivery.remove("2026-02-28/ratings.csv")
    with pytest.raises(ReelhouseError, match=r"has no ratings\.csv"):
        delivery.load()


@pytest.mark.long
def test_what_changes_in_an_earlier_delivery_counts_if_no_later_one_has_it(
    delivery: Delivery,
) -> None:
    delivery.put({"2026-01-31/movies.csv": csv("movies", MOVIES[:2])})
    delivery.load()
    # Older ledgers have no column for deliveries.
    delivery.close()
    with connect(delivery.settings.database) as connection:
        connection.execute("alter table raw.loads drop column delivery")
    assert delivery.load().delivery == "2026-01-31"
    delivery.put(
        {
            "movies.csv": csv("movies", MOVIES[1:]),
            "2026-01-30/ratings.csv": csv("ratings", RATINGS[1:]),
        }
    )
    report = delivery.load()
    assert report.delivery == "2026-01-31"
    assert [each.file for each in report.entries] == ["ratings.csv"]
    assert len(delivery.live("movies")) == 2
    assert len(delivery.live("ratings")) == 3
    delivery.put({"2026-02-01/rating.csv": csv("ratings", RATINGS)})
    assert "rating.csv looks like the Kaggle variant" in delivery.load().hints[0]


def test_a_shrink_waits_to_be_accepted(delivery: Delivery) -> None:
    delivery.max_shrink = 0.1
    delivery.load()
    delivery.put(ratings(*RATINGS[:2]))
    with pytest.raises(ReelhouseError, match="would lose 2 of its 4 rows"):
        delivery.load()
    assert len(delivery.live("ratings")) == len(RATINGS)
    assert delivery.rows("select max(load_id) from raw.load_objects") == [(1,)]
    delivery.load(accept_shrink=True)
    assert len(delivery.live("ratings")) == 2


@pytest.mark.fault("12")
def test_a_warehouse_belongs_to_one_source(delivery: Delivery) -> None:
    delivery.load()
    delivery.folder = "elsewhere"
    delivery.put(ratings(*RATINGS)).put({"movies.csv": csv("movies", MOVIES)})
    with pytest.raises(ReelhouseError, match=r"belongs to s3://.*/source at .*, not"):
        delivery.load()


@pytest.mark.fault("13")
def test_what_comes_does_not_make_up_for_what_goes(delivery: Delivery) -> None:
    delivery.max_shrink = 0.25
    delivery.load()
    other = [line.replace(",", "7,", 1) for line in RATINGS]
    delivery.put(ratings(*RATINGS[:2], *other))
    with pytest.raises(ReelhouseError, match="would lose 2 of its 4 rows, more than"):
        delivery.load()
    # One is removed, and the others are in another file now.
    delivery.remove("ratings.csv")
    delivery.put({"ratings/part.csv": csv("ratings", [*RATINGS[1:], *other])})
    assert delivery.load().live_rows["ratings"] == 7


@pytest.mark.fault("13")
def test_a_change_of_a_keyed_row_is_no_loss(delivery: Delivery) -> None:
    delivery.max_shrink = 0.1
    delivery.load()
    renamed = [line.replace("(", "or so (") for line in MOVIES]
    delivery.put({"movies.csv": csv("movies", renamed)})
    assert delivery.load().entries[0].rows_removed == 3
    delivery.put({"movies.csv": csv("movies", ["4,New (2001),Drama", *renamed[1:]])})
    with pytest.raises(ReelhouseError, match="would lose 1 of its 3 rows"):
        delivery.load()


def test_a_folder_of_somebody_else_stays(delivery: Delivery) -> None:
    mine = delivery.warehouse / "scratch" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("of years")
    with pytest.raises(FileExistsError, match="scratch"):
        delivery.load()
    assert mine.read_text() == "of years"


BY_HAND = {
    "delete from raw.ratings where user_id = 2": "ratings has 2 current .* 4 and 1",
    "delete from raw.ratings where removed_load_id = 2": "ratings .* 4 current and 0",
    "update raw.ratings set removed_load_id = 1": "ratings has 0 current and 5",
    "insert into raw.movies from raw.movies": "movies has 6 current",
    "delete from raw.rejects": "rejects has 0 current .* for 1 and",
    "delete from raw.objects where entity = 'ratings'": "ratings .* for 0 and 5",
}


@pytest.mark.long
def test_rows_that_were_changed_by_hand_are_noticed_and_come_back(
    delivery: Delivery,
) -> None:
    """From the backup or, if that has the same changes, from the source."""
    delivery.put(ratings(*RATINGS, "7,2,9.9,1164982931")).load()
    delivery.put(ratings(*RATINGS[1:], GOOD, "7,2,9.9,1164982931")).load()
    settings, raw = delivery.settings, ("ratings", "movies", "rejects", "objects")
    wanted = {name: delivery.rows(f"from raw.{name} order by all") for name in raw}
    live = delivery.live("ratings")

    def save() -> None:
        delivery.close()
        backup.commit(backup.write(settings.database, settings.backup), settings.backup)

    def change(*statements: str) -> None:
        delivery.close()
        with connect(settings.database) as connection:
            for statement in statements:
                connection.execute(statement)

    save()
    sound = settings.database.read_bytes()
    for statement, told in BY_HAND.items():
        settings.database.write_bytes(sound)
        change(statement)
        with pytest.raises(ReelhouseError, match=f"raw.{told}.*--rebuild"):
            delivery.load()
    for is_saved in (True, False):
        if not is_saved:
            change(*BY_HAND)
            save()
        with attempt(settings, dict, rebuild=True) as made:
            assert made.recovery
            assert made.recovery.raw == ("backup" if is_saved else None)
            with made.open() as warehouse:
                load(settings, Bucket(delivery.s3, delivery.url), warehouse)
            made.skip_publish()
        assert made.aside
        assert delivery.live("ratings") == live
        if is_saved:
            for name, rows in wanted.items():
                assert delivery.rows(f"from raw.{name} order by all") == rows
