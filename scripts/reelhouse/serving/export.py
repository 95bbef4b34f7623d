"""Export: the published tables as files that need no driver, all of one version."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import duckdb

from reelhouse.engines.duckdb.connection import asking, identifier, literal
from reelhouse.engines.duckdb.reading import attach_published
from reelhouse.engines.engine import engine_of
from reelhouse.engines.warehouse import shapes_in
from reelhouse.errors import LOCAL_FAULTS, ReelhouseError
from reelhouse.progress import Progress
from reelhouse.serving.csv_export import FORMULA
from reelhouse.serving.folders import former_contents, sha256, written_whole
from reelhouse.settings import Settings

Format = Literal["parquet", "csv"]

# Lists the files in the folder, which the next export may replace.
CONTENTS = "export.json"


@dataclass(frozen=True)
class ExportedTable:
    """A table's file in the folder, how many rows it holds, and its SHA-256."""

    name: str
    file: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Export:
    """What a folder holds: tables and views of one published version.

    `published_at` is its time in UTC; `replaces` is the version that was there before.
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
    as_is: bool = False,
) -> Export:
    """Write every published table of a target into a folder, one file each.

    The folder is written completely or not at all; only an earlier export is replaced.
    In CSV, text that a spreadsheet would run gets a leading apostrophe, unless `as_is`.
    Raises ReelhouseError if nothing is published, or if the folder holds anything else,
    such as a file of that export that was changed since.
    """
    replaces = former_contents(folder, CONTENTS).get("version")
    try:
        with (
            written_whole(folder, CONTENTS) as files,
            TemporaryDirectory(dir=files.parent) as work,
            # All tables have one version, even if another is published meanwhile.
            attach_published(
                engine_of(settings).published_file(settings, Path(work))
            ) as connection,
        ):
            version, published_at, tables = _write(
                connection, files, form, progress, is_neutral=not as_is
            )
            made = Export(folder, version, published_at, tables, replaces)
            contents = {
                "version": version,
                "published_at": published_at,
                "files": [asdict(table) for table in tables],
            }
            text = json.dumps(contents, indent=2) + "\n"
            (files / CONTENTS).write_text(text, encoding="utf-8")
    except duckdb.IOException as error:
        said = str(error)
        reason = next((each for each in LOCAL_FAULTS if each in said), said)
        raise ReelhouseError(
            f"{folder} cannot be written ({reason}): make room there, or name another "
            f"folder."
        ) from error
    return made


def _write(
    connection: duckdb.DuckDBPyConnection,
    files: Path,
    form: Format,
    progress: Progress,
    is_neutral: bool,
) -> tuple[str, str, tuple[ExportedTable, ...]]:
    """Write the files; return the version, its time, and the tables."""
    ((version, published_at),) = connection.execute(
        "select version, cast(published_at as varchar) from serving.publication"
    ).fetchall()
    options = "format parquet, compression zstd"
    if form == "csv":
        options = "format csv, header true"
    found = shapes_in(asking(connection), "serving")
    tables: list[ExportedTable] = []
    for name, (_, columns) in found.items():
        progress("export", len(tables), len(found))
        selected = ", ".join(
            _neutralised(identifier(column))
            if form == "csv" and is_neutral and kind.startswith(("VARCHAR", "ENUM"))
            else identifier(column)
            for column, kind, *_ in columns
        )
        file = f"{name}.{form}"
        ((rows,),) = connection.execute(
            f"copy (select {selected} from serving.{identifier(name)}) "
            f"to {literal(files / file)} ({options})"
        ).fetchall()
        tables.append(ExportedTable(name, file, rows, sha256(files / file)))
    return version, published_at, tuple(tables)


def _neutralised(column: str) -> str:
    """The SQL of `csv_export.neutralised`, for a text column."""
    return (
        f"case when regexp_matches({column}, {literal(FORMULA)}) "
        f"then chr(39) || {column} else {column} end as {column}"
    )
