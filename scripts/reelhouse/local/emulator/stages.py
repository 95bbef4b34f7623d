"""COPY INTO a table, from S3 or an internal stage, with all fields read as text."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa  # type: ignore[import-untyped]
import sqlglot
from fakesnow.copy_into import stage_url_from_var
from fakesnow.transforms import stage
from fakesnow.transforms.options import parse_options
from snowflake.connector import errors
from sqlglot import Expr, exp

from reelhouse.engines.duckdb.connection import identifier
from reelhouse.local.emulator.deviations import (
    NotEmulated,
    answer,
    matched,
    name_of,
)
from reelhouse.local.emulator.widths import check_widths
from reelhouse.s3 import S3Object, S3Settings, download, list_objects

if TYPE_CHECKING:
    from reelhouse.local.emulator.session import Session

# The most files that FILES may name.
MAX_FILES = 1_000
BATCH_RECORDS = 100_000
ROW_NUMBER = "METADATA$FILE_ROW_NUMBER"
RESULT = (
    "file", "status", "rows_parsed", "rows_loaded", "error_limit", "errors_seen",
    "first_error", "first_error_line", "first_error_character",
    "first_error_column_name",
)  # fmt: skip

# The values that CSV options must have, and the other options with their choices.
CSV_OPTIONS = {
    "TYPE": "CSV",
    "FIELD_OPTIONALLY_ENCLOSED_BY": '"',
    "ESCAPE_UNENCLOSED_FIELD": "NONE",
    "NULL_IF": [],
    "EMPTY_FIELD_AS_NULL": False,
    "ERROR_ON_COLUMN_COUNT_MISMATCH": False,
    "MULTI_LINE": False,
}
OTHER_OPTIONS = {
    "TRIM_SPACE": (False,),
    "COMPRESSION": ("AUTO", "GZIP", "NONE"),
    "SKIP_HEADER": (0, 1),
}

# A field and its end. A doubled quote inside quotes stands for one quote.
_FIELD = re.compile(
    r'(?:"(?P<enclosed>(?:[^"\n]++|"")*+)"(?:\r(?=\n|\Z))?|(?!")(?P<plain>[^,\n]*+))'
    r"(?P<end>,|\n|\Z)"
)


@dataclass(frozen=True)
class StagedFile:
    """A file of a stage: its name in results, and where it is."""

    shown: str
    source: Path | tuple[S3Settings, str, S3Object]

    @contextmanager
    def opened(self) -> Iterator[Path]:
        if isinstance(self.source, Path):
            yield self.source
            return
        settings, folder, listed = self.source
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "object"
            download(settings, folder, listed, path, hashlib.md5)
            yield path


def copy_from_stage(session: Session, expression: exp.Copy) -> Expr:
    """D9: COPY INTO a table, by a SELECT of fields from named files, with FORCE.

    Stock fakesnow needs an extension of DuckDB to reach S3, and lets DuckDB guess
    types, so 007 becomes 7. Snowflake reads text. So do we, from the S3 that
    AWS_ENDPOINT_URL names; all other uses of COPY are refused.
    """
    target_table = expression.find(exp.Table)
    if not isinstance(expression.this, (exp.Table, exp.Schema)) or not target_table:
        raise NotEmulated("COPY INTO a location")
    target = name_of(target_table, session.database, session.schema)
    options = _options(expression)
    select = expression.args["files"][0].this
    if not isinstance(select, exp.Select):
        raise NotEmulated("a COPY without a SELECT")
    values, width = select_from_stage(select)
    columns = [each.name for each in expression.this.expressions] or [
        column[0] for column in session.columns(target)
    ]
    insert = (
        f"insert into {target.sql} ({', '.join(map(identifier, columns))}) "
        f"select {', '.join(values)} from emulator_copied"
    )
    folder = _location(session, select, target_table)
    files = _files(session, folder, options["FILES"])
    with session.whole():
        results = [_load(session, file, options, width, insert) for file in files]
        check_widths(session, target_table)
    return sqlglot.parse_one(answer(RESULT, results), read="duckdb")


def select_from_stage(select: exp.Select) -> tuple[list[str], int]:
    """D9b: COPY INTO a table from (select $1, …, metadata$file_row_number from @stage).

    Stock fakesnow fails. Snowflake accepts many expressions there. Here only columns by
    number and METADATA$FILE_ROW_NUMBER are allowed; the latter counts the records after
    the header from 1. Returns the columns as SQL, and the highest column number.
    """
    others = select.args.keys() - {"expressions", "from_", "kind"}
    if any(select.args[key] for key in others):
        raise NotEmulated("a COPY whose SELECT does more than name columns")
    values, width = [], 0
    for each in select.expressions:
        inner = each.this if isinstance(each, exp.Alias) else each
        parameter = inner.find(exp.Parameter)
        if isinstance(inner, (exp.Parameter, exp.Column)) and parameter:
            number = int(parameter.name)
            width = max(width, number)
            values.append(identifier(f"${number}"))
        elif isinstance(inner, exp.Column) and inner.name.upper() == ROW_NUMBER:
            values.append(identifier(ROW_NUMBER))
        else:
            raise NotEmulated(f"{each.sql('snowflake')} in the SELECT of a COPY")
    return values, width


def _options(expression: exp.Copy) -> dict[str, Any]:
    """Return the options of a COPY; raise an error for any that is not emulated."""
    options: dict[str, Any] = {"FORCE": False, "PURGE": False}
    given: dict[str, Any] = {}
    for parameter in expression.args.get("params") or []:
        name = parameter.name.upper()
        value = parameter.expression
        if name == "FILES":
            options[name] = [each.name for each in parameter.find_all(exp.Literal)]
        elif name == "FILE_FORMAT":
            given = parse_options(parameter.expressions)
        elif name in options and isinstance(value, exp.Boolean):
            options[name] = bool(value.this)
        elif name != "ON_ERROR" or value.name.upper() != "ABORT_STATEMENT":
            raise NotEmulated(f"{parameter.sql('snowflake')} in a COPY")
    names = options.get("FILES")
    if not (names and options["FORCE"]):
        raise NotEmulated("a COPY without FILES and FORCE = TRUE")
    if len(names) > MAX_FILES:
        raise ValueError(f"FILES names {len(names)} files, {MAX_FILES} at most.")
    options |= {"COMPRESSION": "AUTO", "SKIP_HEADER": 0}
    for name in [*CSV_OPTIONS, *given]:
        value = given.get(name)
        known = value.upper() if isinstance(value, str) else value
        if known not in OTHER_OPTIONS.get(name, (CSV_OPTIONS.get(name),)):
            raise NotEmulated(f"the file format option {name} = {value!r}")
        options[name] = known
    return options


def _location(session: Session, select: exp.Select, target: exp.Table) -> str:
    """Return the address of the folder that a stage and a path name."""
    node = select.find(exp.Table)
    text = node.this.name if node else ""
    if not text.startswith("@"):
        raise NotEmulated("a COPY that does not name a stage")
    found = _address(session, text, target)
    if "/" in text and not text.endswith("/"):
        raise ValueError(
            f"End the path of the stage in a slash where FILES is given: {found}"
        )
    return found.rstrip("/")


def _address(session: Session, text: str, target: exp.Table) -> str:
    found = stage_url_from_var(
        text[1:],
        session.duck,
        session.database,
        session.schema,
        session.table_stages,
        target,
    )
    # `stage_url_from_var` does not read its last result to the end.
    session.duck.complete()
    return str(found)


def remove_from_stage(session: Session, text: str) -> str | None:
    """D9c: REMOVE the files in a folder of an internal stage.

    Stock fakesnow does not know this statement. Snowflake removes the files whose path
    begins with the given one, and lists them. So do we, for a folder.
    """
    found = matched(r"(?:remove|rm) (?P<place>@\S+)", text)
    if not found:
        return None
    folder = _address(session, found["place"], exp.to_table("none"))
    if not stage.is_internal(folder):
        raise NotEmulated("REMOVE from an external stage")
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    for path in files:
        path.unlink()
    names = [[stage.internal_file_name(str(path)), "removed"] for path in files]
    return answer(["name", "result"], names)


def _files(session: Session, folder: str, names: Sequence[str]) -> list[StagedFile]:
    """Return the named files of a folder, in the order of `names`."""
    listed: dict[str, StagedFile] = {}
    if stage.is_internal(folder):
        bucket = Path(stage.LOCAL_BUCKET_PATH).resolve()
        for name in names:
            path = Path(folder, name).resolve()
            if path.is_file() and path.is_relative_to(bucket):
                listed[name] = StagedFile(stage.internal_file_name(str(path)), path)
    elif settings := session.account.s3:
        for each in list_objects(settings, folder):
            source = (settings, folder, each)
            listed[each.key] = StagedFile(f"{folder}/{each.key}", source)
    else:
        raise ValueError(
            "The emulator reaches no S3: set AWS_ENDPOINT_URL before it starts."
        )
    for name in names:
        if name not in listed:
            raise errors.ProgrammingError(
                msg=f"Remote file '{folder}/{name}' was not found.",
                errno=91016,
                sqlstate="22000",
            )
    return [listed[name] for name in names]


def _load(
    session: Session,
    file: StagedFile,
    options: dict[str, Any],
    width: int,
    insert: str,
) -> list[object]:
    """Load a file and return its row of the result."""
    with file.opened() as path:
        try:
            rows = _insert(
                session,
                _text(path, file.shown, options["COMPRESSION"]),
                options["SKIP_HEADER"],
                width,
                insert,
            )
        except ValueError as error:
            raise ValueError(f"{error}\n  File '{file.shown}'") from error
    if options["PURGE"] and isinstance(file.source, Path):
        file.source.unlink()
    return [file.shown, "LOADED", rows, rows, 1, 0, None, None, None, None]


def _insert(session: Session, text: str, skip: int, width: int, insert: str) -> int:
    records = itertools.islice(_records(text, width), skip, None)
    done = 0
    while batch := list(itertools.islice(records, BATCH_RECORDS)):
        numbers = range(done + 1, done + len(batch) + 1)
        columns = {
            f"${number}": pa.array(values, pa.string())
            for number, values in enumerate(zip(*batch, strict=True), 1)
        }
        columns[ROW_NUMBER] = pa.array(numbers, pa.int64())
        session.duck.register("emulator_copied", pa.table(columns))
        try:
            session.duck.execute(insert)
        finally:
            session.duck.unregister("emulator_copied")
        done += len(batch)
    return done


def _text(path: Path, name: str, compression: str) -> str:
    content = path.read_bytes()
    if compression == "GZIP" or (compression == "AUTO" and name.endswith(".gz")):
        content = gzip.decompress(content)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Invalid UTF8 detected in string (byte {error.start} of the file)"
        ) from error


def _records(text: str, width: int) -> Iterator[list[str | None]]:
    """The records of a CSV text, each cut or filled to `width` fields."""
    start, number = 0, 1
    fields: list[str | None] = []
    while start < len(text) or fields:
        found = _FIELD.match(text, start)
        if not found:
            raise ValueError(
                f"Unbalanced quote, or text behind the closing one, in record {number}"
            )
        start = found.end()
        if found["plain"] is None:
            fields.append(found["enclosed"].replace('""', '"'))
        else:
            is_last = found["end"] != ","
            fields.append(found["plain"].removesuffix("\r" if is_last else ""))
        if found["end"] != ",":
            yield (fields + [None] * width)[:width]
            fields, number = [], number + 1
