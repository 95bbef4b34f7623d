"""The loader on any bytes: every record is an exact row or a reject with a reason.

`make fuzz` draws tens of thousands of new examples instead of a few hundred fixed ones,
and prints how many it tried. The expected results are computed here with Python's own
csv module.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from tests.faults import tally

from reelhouse.contract import Column, Entity, entities
from reelhouse.engines.duckdb import load
from reelhouse.engines.duckdb.connection import connect
from reelhouse.engines.duckdb.load import Warehouse
from reelhouse.engines.warehouse import MAX_LINE_BYTES, ObjectState
from reelhouse.ingest.exactness import ExactLines
from reelhouse.ingest.load import Fetched, _Load
from reelhouse.ingest.records import Inspector, RefusedObject, check_header
from reelhouse.ingest.source import Bucket
from reelhouse.s3 import S3Object, S3Settings
from reelhouse.settings import Settings

settings.register_profile(
    "fixed",
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile(
    "fuzz", settings.get_profile("fixed"), derandomize=False, max_examples=5000
)
PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

DELIVERED = datetime(2026, 1, 1, tzinfo=UTC)
LATEST_EPOCH = int((DELIVERED + timedelta(days=1)).timestamp())
LINE_ENDS = [b"\r\n", b"\n"]

# White space, and characters of no width.
BLANKS = "".join(filter(str.isspace, map(chr, range(sys.maxunicode + 1))))
BLANKS += "\u200b\u200c\u200d\u2060\ufeff"

Values = tuple[Any, ...]


# Expected results


@dataclass
class Expected:
    """The expected rows and rejects of a file, each by record number."""

    rows: dict[int, Values] = field(default_factory=dict)
    rejects: dict[int, tuple[set[str], str]] = field(default_factory=dict)

    def identities(self, entity: Entity) -> Counter[Any]:
        """Count rows by their values and, if there is a key, their place in it."""
        if not entity.key:
            return Counter(self.rows.values())
        names = [column.name for column in entity.file_columns]
        places: Counter[Values] = Counter()
        found = []
        for _, values in sorted(self.rows.items()):
            key = tuple(values[names.index(name)] for name in entity.key)
            places[key] += 1
            found.append((values, places[key]))
        return Counter(found)


def expect(entity: Entity, body: bytes) -> Expected:
    lines = body.split(b"\n")
    has_last_break = lines[-1] == b""
    if has_last_break:
        lines.pop()
    records = [line.removesuffix(b"\r") for line in lines[1:]]
    expected = Expected()
    for number, line in enumerate(records, start=1):
        outcome = judge(entity, line)
        is_last = number == len(records) and not has_last_break
        if is_last and not isinstance(outcome, set):
            others = [other for other in records[:-1] if len(other) <= MAX_LINE_BYTES]
            if not is_whole(entity, line, others):
                outcome = {"no line break after the last record, which may be cut"}
        if is_last and isinstance(outcome, set) and is_form(outcome) is None:
            outcome |= {"no line break after the last record, which may be cut"}
        if isinstance(outcome, set):
            expected.rejects[number] = (outcome, printed(line))
        else:
            expected.rows[number] = outcome
    return expected


def is_form(reasons: set[str]) -> str | None:
    """Return one of the reasons that name no column, or None."""
    return next((reason for reason in reasons if ": " not in reason), None)


def judge(entity: Entity, line: bytes) -> Values | set[str]:
    """Return the values of a record, or the possible reasons to reject it."""
    if len(line) > MAX_LINE_BYTES:
        return {f"line longer than {MAX_LINE_BYTES} bytes"}
    if not line.strip():
        return {"blank line"}
    if b"\0" in line:
        return {"NUL byte"}
    if b"\r" in line:
        return {"carriage return inside the line"}
    if line.count(b'"') % 2:
        return {"unbalanced quote"}
    columns = entity.file_columns
    texts = split_values(line.decode("latin-1"))
    if texts is None:
        return {"stray quote", "missing column", "extra column"}
    if len(texts) != len(columns):
        return {"missing column" if len(texts) < len(columns) else "extra column"}
    try:
        line.decode()
    except UnicodeDecodeError:
        return {"not UTF-8"}
    values = []
    for column, text in zip(columns, texts, strict=True):
        value = read_value(column, text.encode("latin-1").decode())
        if isinstance(value, set):
            return value
        values.append(value)
    return tuple(values)


def split_values(line: str) -> list[str] | None:
    """Return the values of a line, or None if a quote is where none may be."""
    try:
        (values,) = csv.reader([line], strict=True)
    except csv.Error:
        return None
    rest = line
    for value in values:
        quoted = '"' + value.replace('"', '""') + '"'
        written = quoted if rest.startswith('"') else value
        if not rest.startswith(written) or (written is value and '"' in value):
            return None
        rest = rest[len(written) :].removeprefix(",")
    return values


def read_value(column: Column, text: str) -> Any:
    """Return the exact value of a text, or a set with the reason to reject it."""

    def against(reason: str) -> set[str]:
        return {f"{column.header}: {reason}"}

    is_text = column.data_type == "varchar"
    if not (text.strip(BLANKS) if is_text else text) and not column.may_be_empty:
        return against("empty")
    value: Any
    if column.data_type == "varchar":
        return text
    if column.data_type == "bigint":
        if not re.fullmatch("0|-?[1-9][0-9]{0,18}", text):
            return against("not a whole number")
        value = int(text)
        if not -(2**63) <= value < 2**63:
            return against("not a whole number")
    else:
        if not re.fullmatch(
            "-?[0-9]{1,30}([.][0-9]{1,30})?([eE][-+]?[0-9]{1,3})?", text
        ):
            return against("not a number")
        if column.data_type == "double":
            value = float(text)
        else:
            whole, _, decimals = text.lstrip("-").partition(".")
            more = decimals[1:].strip("0")
            if "e" in text.lower() or len(whole) > 1 or more:
                return against(f"does not fit {column.data_type}")
            value = Decimal(text)
    if column.minimum is not None and value < column.minimum:
        return against(f"below {column.minimum}")
    if column.above is not None and not value > column.above:
        return against(f"not above {column.above}")
    if column.maximum is not None and value > column.maximum:
        return against(f"above {column.maximum}")
    if column.step is not None and value % Decimal(str(column.step)):
        return against(f"not a multiple of {column.step}")
    if column.is_epoch and value > LATEST_EPOCH:
        return against("in the future")
    return value


def is_whole(entity: Entity, line: bytes, others: list[bytes]) -> bool:
    """Whether a last line without a line break may be a row.

    A time may, unless it lost a digit; a list may, if all its words occur in other
    lines. An empty word or value may always be cut.
    """
    column = entity.file_columns[-1]
    last = line.rpartition(b",")[2].strip(b'"')
    if column.is_epoch:
        return Decimal(last.decode()) >= 315_532_800
    if not column.separator:
        return False
    met = {
        word
        for other in others
        for word in other.rpartition(b",")[2].strip(b'"').split(b"|")
    }
    return all(word and word in met for word in last.split(b"|"))


def printed(line: bytes) -> str:
    text = line[:4096].decode("utf-8", "backslashreplace")
    text = re.sub(r"[\0-\x1f\x7f]", lambda char: f"\\x{ord(char[0]):02x}", text)
    return text + (" … (cut after 4096 bytes)" if len(line) > 4096 else "")


# Inputs

NUMBERS = ["1", "2", "3", "3", "17", "4294967296"]
GOOD = {
    "rating": ["0.5", "3.0", "4.5", "4.50", "5", "5.0"],
    "timestamp": ["964982703", "1104982703", "0", str(LATEST_EPOCH)],
    "relevance": ["0.5", "1", "0.00800000000000001", "2.5E-4", "00.25"],
    "title": [
        "Lantern (1994)",
        '"Harbour, The"',
        '"A ""B"""',
        "Ü ☂\u2028x",
        " s ",
        "\t",
        "\xa0 ",
    ],
    "genres": ["Drama", "Drama|Comedy", "", '"Drama"', "(no genres listed)"],
    "tag": ["dark", "007", "", '"a,b"', "=1+1", "  ", "\\", "null", "#x"],
    "imdbId": ["0114709", "", "1"],
    "tmdbId": ["862", ""],
}
# Values that engines tend to round, trim or guess.
NEAR = ("+5", "1e3", "007", "1_0", "30.6", "3.57", " 7", "7 ", "1.", "-0", "04.0")
ODD = (
    *NEAR,
    *("+5", "1e3", "007", "1_0", "١", "0x1F", "30.6", "3.57", "-0", "-1", "0", ""),
    *("99999999999999999999", " 7", "7 ", "\t7", "NaN", "inf", "-inf", "1.", ".5"),
    *("5.5", "0.0", "3.7", "1e400", "1e-400", "9" * 40, "0.5000000000000000001"),
    *("9223372036854775807", "9223372036854775808", "true", "null", "''", "1,", ","),
    *("\t", "\xa0 ", "\u2003\ufeff"),
    *("99999999999", "315532799", "9" * 4400, "0." + "0" * 29 + "1", "-", "1\v"),
)
ODD_BYTES = (
    *(b'"', b'""', b'"x"', b'x"y"', b'"4.0"x', b'"x', b"\0", b"\r", b"\xff", b"\xed"),
    *(b"\xed\xa0\x80", b"\xc0\x80", b"\xef\xbb\xbf1", b"\xe2\x80\xa8", b"\xc2\x85"),
    *(b"\xf4\x90\x80\x80", b"\x1a", b"\x0c", b'"\r"', b'",",', b'"";', b"\\,", b'\\"'),
)
PLAIN_LINES = (b"", b" ", b",", b",,,", b",,,,,,", b"1", b"#", b"1,1,4.0", b"\t", b"x")
ODD_LINES = (*PLAIN_LINES, b"\0", b"\r", b'"', b'""', b"\xef\xbb\xbf", b'"1,1",1,1')


def good(column: Column) -> list[str]:
    return GOOD.get(str(column.header), NUMBERS)


@st.composite
def record(draw: st.DrawFn, entity: Entity, plain: bool, tidy: bool) -> bytes:
    """Draw a line without its end: mostly good and, if `tidy`, always good in form."""
    columns = entity.file_columns
    pools = [good(column) for column in columns]
    if plain:
        pools = [
            [each for each in p if each.isascii() and '"' not in each] for p in pools
        ]
    values = [draw(st.sampled_from(pool)).encode() for pool in pools]
    what = draw(st.integers(0, 7 if tidy else 11))
    place = draw(st.integers(0, len(values) - 1)) if what > 5 else 0
    if what in (6, 7):
        odd = [e for e in (NEAR if tidy else ODD) if e.isascii() or not plain]
        values[place] = draw(st.sampled_from(odd)).encode()
    elif what == 8:
        values[place:place] = [b""] * draw(st.integers(1, 2))
    elif what == 9:
        del values[place]
    elif what == 10 and plain:
        return draw(st.sampled_from(PLAIN_LINES))
    elif what == 10:
        values[place] = draw(st.sampled_from(ODD_BYTES))
    elif what == 11:
        if draw(st.booleans()):
            return draw(st.sampled_from(PLAIN_LINES if plain else ODD_LINES))
        text = [i for i, column in enumerate(columns) if column.data_type == "varchar"]
        if text:
            missing = MAX_LINE_BYTES - len(b",".join(values))
            values[text[0]] += b"x" * max(missing + draw(st.integers(-22, 2)), 0)
    return b",".join(values)


@dataclass(frozen=True)
class Deliveries:
    """A file of an entity, and the file that replaces it."""

    entity: Entity
    first: bytes
    second: bytes

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        files = [
            re.sub(
                rb"(.)\1{40,}", lambda run: b"<%d of %b>" % (len(run[0]), run[1]), each
            )
            for each in (self.first, self.second)
        ]
        printer.text(f"Deliveries({self.entity.name}, {files[0]!r}, {files[1]!r})")


@st.composite
def deliveries(draw: st.DrawFn) -> Deliveries:
    entity = draw(st.sampled_from(list(entities().values())))
    plain = draw(st.booleans())
    lines = st.lists(record(entity, plain, draw(st.booleans())), max_size=8)
    first = draw(lines)
    if draw(st.booleans()):
        second = draw(st.permutations(first))[draw(st.integers(0, 1)) :] + draw(lines)
    else:
        second = draw(lines)
    return Deliveries(
        entity, draw(body(entity, first, plain)), draw(body(entity, second, plain))
    )


@st.composite
def body(draw: st.DrawFn, entity: Entity, lines: list[bytes], plain: bool) -> bytes:
    end = draw(st.sampled_from(LINE_ENDS))
    ends = [end] * (len(lines) + 1)
    if not plain and draw(st.booleans()):
        ends = [draw(st.sampled_from(LINE_ENDS)) for _ in ends]
    if draw(st.integers(0, 3)) == 0:
        ends[-1] = b""
    header = entity.header.encode()
    if not plain and draw(st.integers(0, 7)) == 0:
        header = b"\xef\xbb\xbf" + header
    return b"".join(
        line + end for line, end in zip([header, *lines], ends, strict=True)
    )


@dataclass(frozen=True)
class Delivered:
    """An object of an entity: its key, and arbitrary bytes."""

    entity: Entity
    key: str
    content: bytes

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        content = self.content[:2000]
        printer.text(f"Delivered({self.entity.name}, {self.key!r}, {content!r})")


ENCODINGS = (
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-8-sig",
    "utf-7",
    "cp037",
)
# Line counts around an engine's vector of 2,048 values, and one for more blocks.
MANY = (2047, 2048, 2049, 4500)
KEY_TEXT = st.text(
    st.one_of(
        st.sampled_from("'\"`;-[]{}*?%$\\/.~#&<>=+@ \n\t\x00\x1b"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)
PATHS = (
    "../../up",
    "/etc/passwd",
    "a/../b",
    "*",
    "[a-z]",
    "'; drop table raw.loads; --",
)


@st.composite
def delivered_objects(draw: st.DrawFn) -> Delivered:
    entity = draw(st.sampled_from(list(entities().values())))
    stem = draw(st.one_of(st.sampled_from(PATHS), KEY_TEXT))
    # A part that begins with a dot or an underscore belongs to other programs.
    parts = f"{entity.file}/{stem}.csv".split("/")
    key = "/".join(f"x{part}" if part[:1] in {".", "_"} else part for part in parts)
    plain = draw(st.booleans())
    lines = draw(st.lists(record(entity, plain, True), max_size=6))
    if lines and draw(st.integers(0, 15)) == 0:
        lines = (lines * MANY[-1])[: draw(st.sampled_from(MANY))]
        place = draw(st.integers(0, len(lines)))
        lines[place:place] = [draw(record(entity, plain, False))]
    content = draw(body(entity, lines, plain))
    how = draw(st.integers(0, 5))
    if how == 0:
        content = draw(st.binary(max_size=200))
    elif how == 1:
        encoding = draw(st.sampled_from(ENCODINGS))
        content = content.decode("latin-1").encode(encoding, "replace")
    elif how > 2:
        for _ in range(draw(st.integers(1, 3))):
            content = draw(mangled(content))
    return Delivered(entity, key, content)


@st.composite
def mangled(draw: st.DrawFn, content: bytes) -> bytes:
    """Cut bytes out, cut the end off, insert bytes, or repeat some."""
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    what = draw(st.integers(0, 3))
    if what == 0:
        return content[:start] + content[min(end, start + 3) :]
    if what == 1:
        return content[:end]
    if what == 2:
        few = st.one_of(st.binary(min_size=1, max_size=3), st.sampled_from(ODD_BYTES))
        return content[:start] + draw(few) + content[start:]
    return content[:end] + content[start:]


# Loading


@dataclass
class Desk:
    """A warehouse in memory; each file passes through one local folder."""

    warehouse: Warehouse
    folder: Path

    def load(
        self, entity: Entity, content: bytes, load_id: int, key: str = "file.csv"
    ) -> list[int]:
        """Load a file for the first time or again; return its counts in the ledger."""
        path = self.folder / "object.csv"
        path.write_bytes(content)
        inspector = Inspector(ExactLines(entity))
        # Split at the worst place: between the two bytes of a line end.
        for chunk in re.split(rb"(?<=\r)", content, maxsplit=3):
            inspector.update(chunk)
        moment = DELIVERED.replace(tzinfo=None)
        nowhere = Settings("s3://x", self.folder, "dev", moment, 1.0, None)
        source = Bucket(S3Settings(), "")
        run = _Load(
            *(nowhere, source, self.warehouse, self.folder, lambda *_: None),
            accept_rejects=True,
            load_id=load_id,
        )
        listed = S3Object(key, "", len(content), DELIVERED)
        state = ObjectState(entity.name, "", "", None, None) if load_id > 1 else None
        fetched = Fetched(listed.key, entity, listed, path, inspector)
        assert fetched.facts.sha256 == hashlib.sha256(content).hexdigest()
        check_header(path, entity, key)
        run._take(fetched, state)
        (entry,) = run.report.entries
        return [
            entry.records,
            entry.rows_loaded,
            entry.rows_new,
            entry.rows_rejected,
            entry.rows_removed,
        ]

    def rows(self, query: str) -> list[Values]:
        return self.warehouse.connection.execute(query).fetchall()

    def check(self, entity: Entity, expected: Expected) -> None:
        names = ", ".join(column.name for column in entity.file_columns)
        table = f"raw.{entity.name} where removed_load_id is null"
        live = self.rows(f"select {names} from {table}")
        tally.rows(expected.rows.values(), live)
        assert Counter(live) == Counter(expected.rows.values())
        if entity.has_column("record_number"):
            numbered = self.rows(f"select record_number, {names} from {table}")
            assert {row[0]: row[1:] for row in numbered} == expected.rows
            assert len(numbered) == len(expected.rows)
        rejects = self.rows(
            "select record_number, reason, text from raw.rejects "
            "where removed_load_id is null order by record_number"
        )
        assert [row[0] for row in rejects] == sorted(expected.rejects)
        for number, reason, text in rejects:
            reasons, wanted = expected.rejects[number]
            assert reason in reasons
            assert text == wanted


WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink"}
written: set[Path] = set()


def note_what_is_written(event: str, values: tuple[Any, ...]) -> None:
    is_written = event == "open" and isinstance(values[2], int) and values[2] & WRITES
    # An integer is a file descriptor, not a file that this process creates.
    if (is_written or event in CHANGES) and not isinstance(values[0], int):
        written.add(Path(os.fsdecode(values[0])))


# An audit hook cannot be removed.
sys.addaudithook(note_what_is_written)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    connection = connect(Path(":memory:"))
    # Threads take longer to synchronize than to read a few lines.
    connection.execute("set threads = 1")
    warehouse = Warehouse(connection)
    warehouse.make_tables()
    folder = tmp_path_factory.mktemp("desk") / "scratch"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        # Pair files as large ones are paired.
        patch.setattr(load, "PAIRED_AT_ONCE", 2)
        yield Desk(warehouse, folder)
    connection.close()


def file(name: str, *lines: bytes, last: bytes = b"\n") -> bytes:
    ends = [b"\n"] * len(lines) + [last]
    header = entities()[name].header.encode()
    return b"".join(
        line + end for line, end in zip([header, *lines], ends, strict=True)
    )


@dataclass
class Inputs:
    """Counts the inputs that were tried, and those that violated a property."""

    tried: int = 0
    violations: int = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        self.tried += 1
        try:
            yield
        except BaseException:
            self.violations += 1
            raise


@pytest.fixture(scope="module")
def inputs(request: pytest.FixtureRequest) -> Iterator[Inputs]:
    inputs = Inputs()
    yield inputs
    if PROFILE is not settings.get_profile("fixed"):
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print(f"\nFiles tried: {inputs.tried:,}; violations: {inputs.violations}")


def replaced(name: str, *lines: bytes) -> Deliveries:
    """Return a file of these lines, replaced by one without the first of them."""
    entity = entities()[name]
    first, second = (
        b"".join(line + b"\n" for line in [entity.header.encode(), *some])
        for some in (lines, lines[1:])
    )
    return Deliveries(entity, first, second)


def long_title(length: int) -> bytes:
    """Return a line of movies.csv with `length` bytes."""
    return b"1," + b"x" * (length - len(b"1,,Drama")) + b",Drama"


# Inputs once loaded wrong: numbers that fit no type, no last value, long lines.
@pytest.mark.fault("7", "8", "10")
@pytest.mark.nightly
@settings(PROFILE)
@example(replaced("ratings", b"1,1,4.0," + b"9" * 4400, b"1,1,4.0,964982703"))
@example(replaced("genome_scores", b"1,1,0." + b"3" * 4400, b"1,2,0.5"))
@example(replaced("links", b"1,0114709,", b"2,,862", b"3,,", b"1,0114709,"))
@example(replaced("movies", long_title(MAX_LINE_BYTES - 1), b"2,Salt (2001),War"))
@example(replaced("movies", long_title(MAX_LINE_BYTES), long_title(MAX_LINE_BYTES)))
@example(replaced("movies", long_title(MAX_LINE_BYTES + 1), b"2,Salt (2001),War"))
@given(deliveries())
def test_every_record_is_an_exact_row_or_a_reject(
    desk: Desk, inputs: Inputs, delivered: Deliveries
) -> None:
    with inputs.counted():
        check_deliveries(desk, delivered)


def check_deliveries(desk: Desk, delivered: Deliveries) -> None:
    entity = delivered.entity
    first = expect(entity, delivered.first)
    second = expect(entity, delivered.second)
    event(f"rejects: {bool(first.rejects)}, rows: {bool(first.rows)}")
    desk.warehouse.connection.begin()
    try:
        counts = desk.load(entity, delivered.first, 1)
        rows, rejects = len(first.rows), len(first.rejects)
        assert counts == [rows + rejects, rows, rows, rejects, 0]
        desk.check(entity, first)

        counts = desk.load(entity, delivered.second, 2)
        was, now = first.identities(entity), second.identities(entity)
        rows, rejects = len(second.rows), len(second.rejects)
        new, removed = (now - was).total(), (was - now).total()
        assert counts == [rows + rejects, rows, new, rejects, removed]
        desk.check(entity, second)
        by_load = desk.rows(
            f"select load_id, removed_load_id, count(*) from raw.{entity.name} "
            f"group by all order by all"
        )
        stayed = (was & now).total()
        wanted = [(1, 2, removed), (1, None, stayed), (2, None, new)]
        assert by_load == [each for each in wanted if each[2]]
    finally:
        desk.warehouse.connection.rollback()


@pytest.mark.nightly
@settings(PROFILE)
@given(delivered_objects())
def test_any_object_is_loaded_as_it_is_or_refused(
    desk: Desk, inputs: Inputs, delivered: Delivered
) -> None:
    with inputs.counted():
        check_object(desk, delivered)


def check_object(desk: Desk, delivered: Delivered) -> None:
    entity, key = delivered.entity, delivered.key
    header = delivered.content.split(b"\n")[0].removesuffix(b"\r")
    is_ours = header.removeprefix(b"\xef\xbb\xbf") == entity.header.encode()
    event(f"header: {is_ours}")
    assert entity.accepts(key)
    desk.warehouse.connection.begin()
    written.clear()
    try:
        if not is_ours:
            with pytest.raises(RefusedObject) as refusal:
                desk.load(entity, delivered.content, 1, key)
            assert str(refusal.value).startswith(key)
            assert not desk.rows(f"from raw.{entity.name}")
            assert not desk.rows("from raw.load_objects")
            return
        expected = expect(entity, delivered.content)
        rows, rejects = len(expected.rows), len(expected.rejects)
        counts = desk.load(entity, delivered.content, 1, key)
        assert counts == [rows + rejects, rows, rows, rejects, 0]
        desk.check(entity, expected)
        for table in (entity.name, "load_objects", "objects", "rejects"):
            assert set(desk.rows(f"select file from raw.{table}")) <= {(key,)}
    finally:
        desk.warehouse.connection.rollback()
        own = {desk.folder / name for name in ("object.csv", "rewritten.csv")}
        assert written <= own
        assert set(desk.folder.parent.rglob("*")) <= {desk.folder, *own}
