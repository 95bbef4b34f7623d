"""COPY INTO a table: from S3 or an internal stage, and all of it as text."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa  # type: ignore[import-untyped]
import sqlglot
from fakesnow.copy_into import stage_url_from_var
from fakesnow.transforms import stage
from fakesnow.transforms.file_format import lookup_file_format
from fakesnow.transforms.options import parse_options
from snowflake.connector import errors
from sqlglot import Expr, exp

from reelhouse.local.emulator.deviations import (
    Name,
    NotEmulated,
    answer,
    deviation,
    name_of,
    quoted,
)
from reelhouse.s3 import S3Object, S3Settings, download, list_objects

if TYPE_CHECKING:
    from reelhouse.local.emulator.session import Session

# What FILES takes at most.
MAX_FILES = 1_000
BATCH_RECORDS = 100_000
RESULT = (
    "file", "status", "rows_parsed", "rows_loaded", "error_limit", "errors_seen",
    "first_error", "first_error_line", "first_error_character",
    "first_error_column_name",
)  # fmt: skip

# Options of a CSV file, with Snowflake's defaults.
CSV_OPTIONS: dict[str, Any] = {
    "TYPE": "CSV",
    "COMPRESSION": "AUTO",
    "RECORD_DELIMITER": "\n",
    "FIELD_DELIMITER": ",",
    "FIELD_OPTIONALLY_ENCLOSED_BY": "NONE",
    "SKIP_HEADER": 0,
    "SKIP_BLANK_LINES": False,
    "SKIP_BYTE_ORDER_MARK": True,
    "ESCAPE": "NONE",
    "ESCAPE_UNENCLOSED_FIELD": "\\",
    "TRIM_SPACE": False,
    "NULL_IF": ["\\N"],
    "EMPTY_FIELD_AS_NULL": True,
    "ERROR_ON_COLUMN_COUNT_MISMATCH": True,
    "REPLACE_INVALID_CHARACTERS": False,
    "ENCODING": "UTF8",
}
# The values that the emulator can do, where it cannot do all.
DOABLE: dict[str, tuple[Any, ...]] = {
    "TYPE": ("CSV",),
    "COMPRESSION": ("AUTO", "NONE", "GZIP"),
    "RECORD_DELIMITER": ("\n", "\\n"),
    "SKIP_BLANK_LINES": (False,),
    "SKIP_BYTE_ORDER_MARK": (True,),
    "ESCAPE": ("NONE",),
    "ESCAPE_UNENCLOSED_FIELD": ("NONE",),
    "TRIM_SPACE": (False,),
    "REPLACE_INVALID_CHARACTERS": (False,),
    "ENCODING": ("UTF8", "UTF-8"),
}

# Which files are in which tables, in the schema that fakesnow has in each database.
LOADED = """
create table if not exists {catalog}._fs_information_schema._emulator_loaded (
    schema_name varchar,
    table_name varchar,
    url varchar,
    content_key varchar
);
"""

# What stands between two quotes; a doubled one stands for itself.
_ENCLOSED = re.compile(r'"([^"]*(?:""[^"]*)*)"')


@dataclass(frozen=True)
class StagedFile:
    """A file of a stage: how it is named, what tells its bytes from others."""

    url: str
    shown: str
    # As METADATA$FILENAME has it: within the bucket, or within the stage.
    path: str
    content_key: str
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


@dataclass(frozen=True)
class CopyOptions:
    """What a COPY says beside its target and its stage."""

    files: tuple[str, ...]
    csv: dict[str, Any]
    force: bool
    purge: bool


@deviation("D9")
def copy_from_stage(session: Session, expression: exp.Copy) -> Expr:
    """COPY INTO a table from a stage, read as text and converted by the table.

    Stock fakesnow cannot reach S3 without an extension of DuckDB, lists it by globs
    that stop at a folder, lets DuckDB guess types, so that 007 becomes 7, takes FORCE
    = FALSE for true, and knows a file by its name alone. Snowflake lists by prefix,
    reads text, and loads a file again when its content has changed. So do we, over
    the S3 that AWS_ENDPOINT_URL names; what else COPY can do is refused.
    """
    target_table = expression.find(exp.Table)
    if not isinstance(expression.this, (exp.Table, exp.Schema)) or not target_table:
        raise NotEmulated("COPY INTO a location")
    target = name_of(target_table, session.database, session.schema)
    options = _options(session, expression)
    source = expression.args["files"][0].this
    select = source if isinstance(source, exp.Select) else None
    location = _location(session, select or source, target_table)
    columns = [each.name for each in expression.this.expressions] or [
        column[0] for column in session.columns(target)
    ]
    if select:
        values, width = select_from_stage(select)
        options.csv["ERROR_ON_COLUMN_COUNT_MISMATCH"] = False
    else:
        values = [_position(number + 1) for number in range(len(columns))]
        width = len(columns)
    insert = (
        f"insert into {target.sql} ({', '.join(map(quoted, columns))}) "
        f"select {', '.join(values)} from emulator_copied"
    )
    files = _files(session, location, options.files)
    with session.whole():
        results = [
            _load(session, target, file, options, width, insert) for file in files
        ]
    if not results:
        return _parsed(answer(["status"], [["Copy executed with 0 files processed."]]))
    return _parsed(answer(RESULT, results))


def unquote_target(expression: Expr) -> None:
    """Let PUT name its stage in quotes, as a path with a space needs (D9)."""
    if isinstance(expression, exp.Put) and expression.args["target"].name[:1] == "'":
        expression.set(
            "target", exp.Var(this=_unquoted(expression.args["target"].name))
        )


def _unquoted(text: str) -> str:
    return sqlglot.parse_one(text, read="snowflake").name


@deviation("D9b")
def select_from_stage(select: exp.Select) -> tuple[list[str], int]:
    """COPY INTO a table from (select $1, …, metadata$filename, … from @stage).

    Stock fakesnow fails. Snowflake takes many expressions there. Here it may be
    columns by number, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER, which counts
    records behind the header from 1, and METADATA$FILE_CONTENT_KEY. The values are
    those and the number of fields that they reach for.
    """
    others = select.args.keys() - {"expressions", "from_", "kind"}
    if any(select.args[key] for key in others):
        raise NotEmulated("a COPY whose SELECT does more than name columns")
    values, width = [], 0
    for each in select.expressions:
        inner = each.this if isinstance(each, exp.Alias) else each
        parameter = inner.find(exp.Parameter)
        word = inner.name.upper()
        if isinstance(inner, (exp.Parameter, exp.Column)) and parameter:
            number = int(parameter.name)
            width = max(width, number)
            values.append(_position(number))
        elif isinstance(inner, exp.Column) and word.startswith("METADATA$FILE"):
            values.append(quoted(word))
        else:
            raise NotEmulated(f"{each.sql('snowflake')} in the SELECT of a COPY")
    return values, width


def _position(number: int) -> str:
    return quoted(f"${number}")


def _parsed(sql: str) -> Expr:
    return sqlglot.parse_one(sql, read="duckdb")


def _options(session: Session, expression: exp.Copy) -> CopyOptions:
    files: tuple[str, ...] = ()
    csv = dict(CSV_OPTIONS)
    flags = {"FORCE": False, "PURGE": False}
    for parameter in expression.args.get("params") or []:
        name = parameter.name.upper()
        value = parameter.expression
        if name == "FILES":
            files = tuple(each.name for each in parameter.find_all(exp.Literal))
        elif name == "FILE_FORMAT":
            csv |= _format(session, parameter)
        elif name in flags and isinstance(value, exp.Boolean):
            flags[name] = bool(value.this)
        elif name != "ON_ERROR" or value.name.upper() != "ABORT_STATEMENT":
            raise NotEmulated(f"{parameter.sql('snowflake')} in a COPY")
    if len(files) > MAX_FILES:
        raise ValueError(f"FILES names {len(files)} files, {MAX_FILES} at most.")
    for name, value in csv.items():
        if name not in CSV_OPTIONS or value not in DOABLE.get(name, (value,)):
            raise NotEmulated(f"the file format option {name} = {value!r}")
    return CopyOptions(files, csv, flags["FORCE"], flags["PURGE"])


def _format(session: Session, parameter: Expr) -> dict[str, Any]:
    for option in parameter.expressions:
        if isinstance(option.args.get("value"), exp.Table):
            option.set("value", exp.Literal.string(option.args["value"].sql()))
    given = parse_options(parameter.expressions)
    name = given.pop("FORMAT_NAME", None)
    if name:
        known = lookup_file_format(
            session.duck, str(name), session.database, session.schema
        )
        given = {key: known[key] for key in known.keys() & CSV_OPTIONS.keys()} | given
    return {
        key: value.upper() if isinstance(value, str) and key in DOABLE else value
        for key, value in given.items()
    }


def _location(session: Session, source: Expr, target: exp.Table) -> str:
    """The address that a stage and a path stand for; a stage is a folder."""
    node = source.find(exp.Table)
    text = node.this.name if node else source.name
    if not text.startswith("@"):
        raise NotEmulated("a COPY that does not name a stage")
    found = stage_url_from_var(
        text[1:],
        session.duck,
        session.database,
        session.schema,
        session.table_stages,
        target,
    )
    return found if text.partition("/")[2] else found.rstrip("/") + "/"


def _files(session: Session, location: str, names: Sequence[str]) -> list[StagedFile]:
    """The files under a location, or those of them that are named, in their order."""
    folder, _, prefix = location.rpartition("/")
    if names and prefix:
        raise ValueError(
            f"End the path of the stage in a slash where FILES is given: {location}"
        )
    listed = (
        _local_files(folder)
        if stage.is_internal(folder)
        else _s3_files(session.account.s3, folder)
    )
    if not names:
        return [file for key, file in listed.items() if key.startswith(prefix)]
    for name in names:
        if name not in listed:
            raise errors.ProgrammingError(
                msg=f"Remote file '{location}{name}' was not found.",
                errno=91016,
                sqlstate="22000",
            )
    return [listed[name] for name in names]


def _local_files(folder: str) -> dict[str, StagedFile]:
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            key = path.relative_to(folder).as_posix()
            shown = stage.internal_file_name(str(path))
            content_key = hashlib.md5(path.read_bytes()).hexdigest()
            found[key] = StagedFile(
                str(path), shown, shown.partition("/")[2], content_key, path
            )
    return found


def _s3_files(settings: S3Settings | None, folder: str) -> dict[str, StagedFile]:
    if not settings:
        raise ValueError(
            "The emulator reaches no S3: set AWS_ENDPOINT_URL before it starts."
        )
    bucket = folder.removeprefix("s3://").partition("/")[0]
    return {
        each.key: StagedFile(
            f"{folder}/{each.key}",
            f"{folder}/{each.key}",
            f"{folder}/{each.key}".removeprefix(f"s3://{bucket}/"),
            each.etag,
            (settings, folder, each),
        )
        for each in list_objects(settings, folder)
    }


def _load(
    session: Session,
    target: Name,
    file: StagedFile,
    options: CopyOptions,
    width: int,
    insert: str,
) -> list[object]:
    """Load a file, if it is new; its line of the result."""
    history = f"{quoted(target.database)}._fs_information_schema"
    key = [target.schema, target.name, file.url, file.content_key]
    is_known = session.duck.execute(
        f"select 1 from {history}._emulator_loaded where "
        f"(schema_name, table_name, url, content_key) = (?, ?, ?, ?)",
        key,
    ).fetchall()
    if is_known and not options.force:
        return [
            file.shown,
            "LOAD_SKIPPED",
            0,
            0,
            None,
            1,
            "File was loaded before.",
        ] + [None] * 3
    with file.opened() as path:
        try:
            rows = _insert(session, file, path, options.csv, width, insert)
        except ValueError as error:
            raise ValueError(f"{error}\n  File '{file.shown}'") from error
    if options.purge and isinstance(file.source, Path):
        file.source.unlink()
    session.duck.execute(
        f"insert into {history}._emulator_loaded values (?, ?, ?, ?)", key
    )
    session.duck.execute(
        f"insert into {history}._fs_load_history "
        f"values (?, ?, ?, ?, 'LOADED', ?, ?, null, null, null, null, 0, 1)",
        [*key[:1], file.url, target.name, datetime.now(UTC).isoformat(), rows, rows],
    )
    return [file.shown, "LOADED", rows, rows, 1, 0, None, None, None, None]


def _insert(
    session: Session,
    file: StagedFile,
    path: Path,
    csv: dict[str, Any],
    width: int,
    insert: str,
) -> int:
    records = _records(_text(path, file.url, csv), csv, width)
    done = 0
    while batch := list(itertools.islice(records, BATCH_RECORDS)):
        numbers = range(done + 1, done + len(batch) + 1)
        columns = {
            f"${number}": pa.array(values, pa.string())
            for number, values in enumerate(zip(*batch, strict=True), 1)
        }
        columns["METADATA$FILE_ROW_NUMBER"] = pa.array(numbers, pa.int64())
        for name, value in (
            ("METADATA$FILENAME", file.path),
            ("METADATA$FILE_CONTENT_KEY", file.content_key),
        ):
            columns[name] = pa.repeat(pa.scalar(value), len(batch))
        session.duck.register("emulator_copied", pa.table(columns))
        try:
            session.duck.execute(insert)
        finally:
            session.duck.unregister("emulator_copied")
        done += len(batch)
    return done


def _text(path: Path, url: str, csv: dict[str, Any]) -> str:
    content = path.read_bytes()
    is_packed = content.startswith(b"\x1f\x8b") and url.endswith(".gz")
    if csv["COMPRESSION"] == "GZIP" or (csv["COMPRESSION"] == "AUTO" and is_packed):
        content = gzip.decompress(content)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Invalid UTF8 detected in string (byte {error.start} of the file)"
        ) from error


def _records(text: str, csv: dict[str, Any], width: int) -> Iterator[list[str | None]]:
    """The records of a CSV text behind its header, cut or filled to `width` fields."""
    is_enclosing = csv["FIELD_OPTIONALLY_ENCLOSED_BY"] == '"'
    delimiter = csv["FIELD_DELIMITER"]
    to_skip = int(csv["SKIP_HEADER"])
    nulls = set(csv["NULL_IF"])
    line, start = 0, 0
    while start < len(text):
        line += 1
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if line <= to_skip:
            start = end + 1
            continue
        if is_enclosing and text.find('"', start, end) >= 0:
            fields, end = _enclosed_fields(text, start, delimiter, line)
        else:
            fields = [
                (field, False)
                for field in text[start:end].removesuffix("\r").split(delimiter)
            ]
        start = end + 1
        if csv["ERROR_ON_COLUMN_COUNT_MISMATCH"] and len(fields) != width:
            raise ValueError(
                f"Number of columns in file ({len(fields)}) does not match that of "
                f"the corresponding table ({width}), line {line}"
            )
        values: list[str | None] = [
            None
            if field in nulls
            or (not field and not is_enclosed and csv["EMPTY_FIELD_AS_NULL"])
            else field
            for field, is_enclosed in fields[:width]
        ]
        yield values + [None] * (width - len(values))


def _enclosed_fields(
    text: str, start: int, delimiter: str, line: int
) -> tuple[list[tuple[str, bool]], int]:
    """The fields of the record at `start`, and where it ends."""
    fields: list[tuple[str, bool]] = []
    while True:
        if text.startswith('"', start):
            found = _ENCLOSED.match(text, start)
            if not found:
                raise ValueError(f"Unbalanced quote in record {line}")
            fields.append((found[1].replace('""', '"'), True))
            start = found.end()
        else:
            end = _end_of_plain_field(text, start, delimiter)
            fields.append((text[start:end], False))
            start = end
        if text.startswith(delimiter, start):
            start += len(delimiter)
            continue
        if text.startswith("\r\n", start):
            start += 1
        if start < len(text) and text[start] != "\n":
            raise ValueError(
                f"Found character {text[start]!r} instead of field delimiter "
                f"{delimiter!r} in record {line}"
            )
        return fields, start


def _end_of_plain_field(text: str, start: int, delimiter: str) -> int:
    end_of_line = text.find("\n", start)
    end_of_line = len(text) if end_of_line < 0 else end_of_line
    end = text.find(delimiter, start, end_of_line)
    if end >= 0:
        return end
    return end_of_line - text[start:end_of_line].endswith("\r")
