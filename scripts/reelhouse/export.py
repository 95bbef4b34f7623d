"""Export: the published tables as files that need no driver, all of one version."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import duckdb

from reelhouse.csv_export import FORMULA_STARTS
from reelhouse.engines.duckdb import literal
from reelhouse.errors import ReelhouseError
from reelhouse.query import attach_published
from reelhouse.settings import Settings

Format = Literal["parquet", "csv"]
Progress = Callable[[str, int, int], None]

# Names what is in the folder, and thereby what the next export may replace.
CONTENTS = "export.json"


@dataclass(frozen=True)
class ExportedTable:
    """A table's file in the folder, and how many rows it holds."""

    name: str
    file: str
    rows: int


@dataclass(frozen=True)
class Export:
    """What a folder holds: tables and views of one published version.

    `published_at` is its UTC moment; `replaces` the version that was there before.
    """

    folder: Path
    version: str
    published_at: str
    tables: tuple[ExportedTable, ...]
    replaces: str | None

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


def export(
    settings: Settings,
    folder: Path,
    form: Format = "parquet",
    progress: Progress = lambda *_: None,
) -> Export:
    """Write every published table of a target into a folder, a file each.

    The folder is there whole or not at all; only an earlier export is replaced. In CSV,
    text that a spreadsheet would run has an apostrophe before it.
    Raises ReelhouseError where nothing is published, or where the folder is a file or
    holds anything else.
    """
    folder = folder.resolve()
    replaces = _version_there(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as work:
            files = Path(work) / "files"
            files.mkdir()
            with _one_version(settings, Path(work)) as connection:
                version, published_at, tables = _write(
                    connection, files, form, progress
                )
            made = Export(folder, version, published_at, tables, replaces)
            _describe(made, files)
            _put_in_place(files, folder, Path(work) / "former")
    except duckdb.IOException as error:
        reason = str(error).splitlines()[0].removeprefix("IO Error: ")
        raise ReelhouseError(
            f"{folder} cannot be written ({reason}): make room there, or name another "
            f"folder."
        ) from error
    return made


def _version_there(folder: Path) -> str | None:
    """The version of the export that is there, None where nothing is.

    Raises ReelhouseError for whatever else is there.
    """
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise ReelhouseError(f"{folder} is a file: name a folder to export to.")
    there = {each.name for each in folder.iterdir()}
    version, ours = None, set()
    try:
        contents = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
        version = str(contents["version"])
        ours = {CONTENTS, *(table["file"] for table in contents["tables"])}
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        pass
    foreign = sorted(there - ours)
    if foreign:
        more = ", …" if len(foreign) > 3 else ""
        raise ReelhouseError(
            f"{folder} holds what no export has written ({', '.join(foreign[:3])}"
            f"{more}): name another folder, or move that away."
        )
    return version


@contextmanager
def _one_version(settings: Settings, work: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that sees one version only, whatever is published meanwhile."""
    published = settings.published
    if settings.is_snowflake:
        from reelhouse.engines.snowflake_run import fetch_serving

        published = work / "fetched.duckdb"
        fetch_serving(published, view_limit=sys.maxsize)
    with attach_published(published) as connection:
        yield connection


def _write(
    connection: duckdb.DuckDBPyConnection,
    files: Path,
    form: Format,
    progress: Progress,
) -> tuple[str, str, tuple[ExportedTable, ...]]:
    """Version, its moment, and the tables that were written."""
    ((version, published_at),) = connection.execute(
        "select version, cast(published_at as varchar) from serving.publication"
    ).fetchall()
    options = "format parquet, compression zstd"
    if form == "csv":
        options = "format csv, header true"
    found = _columns(connection)
    tables: list[ExportedTable] = []
    for name, columns in found.items():
        progress("export", len(tables), len(found))
        selected = ", ".join(
            _neutralised(column) if form == "csv" and kind == "VARCHAR" else column
            for column, kind in columns
        )
        file = f"{name}.{form}"
        ((rows,),) = connection.execute(
            f"copy (select {selected} from serving.{_quoted(name)}) "
            f"to {literal(files / file)} ({options})"
        ).fetchall()
        tables.append(ExportedTable(name, file, rows))
    return version, published_at, tuple(tables)


def _columns(
    connection: duckdb.DuckDBPyConnection,
) -> dict[str, list[tuple[str, str]]]:
    """Quoted names and types of the columns of every table and view, by its name."""
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and schema_name = 'serving' "
        "order by table_name, column_index"
    ).fetchall():
        tables.setdefault(table, []).append((_quoted(column), kind))
    return tables


def _neutralised(column: str) -> str:
    """The SQL of `csv_export.neutralised`, for a text column."""
    starts = ", ".join(f"chr({ord(start)})" for start in FORMULA_STARTS)
    return (
        f"case when left({column}, 1) in ({starts}) then chr(39) || {column} "
        f"else {column} end as {column}"
    )


def _describe(made: Export, files: Path) -> None:
    contents = {
        "version": made.version,
        "published_at": made.published_at,
        "tables": [asdict(table) for table in made.tables],
    }
    text = json.dumps(contents, indent=2) + "\n"
    (files / CONTENTS).write_text(text, encoding="utf-8")


def _put_in_place(files: Path, folder: Path, former: Path) -> None:
    """Put the files where the folder is to be; an earlier export goes to `former`."""
    # It may have come while the files were written.
    has_former = folder.exists()
    if has_former:
        _version_there(folder)
        folder.rename(former)
    try:
        files.rename(folder)
    except BaseException:
        if has_former:
            former.rename(folder)
        raise
    shutil.rmtree(former, ignore_errors=True)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
