"""Published files to look at: the sample's, and changed copies of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from reelhouse.settings import Settings

Copy = Callable[..., Path]


def changed_copy(published: Path, to: Path, *statements: str) -> Path:
    """Copy a published file, change it by statements, and replace another with it."""
    scratch = to.with_name("changed.duckdb")
    shutil.copyfile(published, scratch)
    with duckdb.connect(str(scratch)) as connection:
        connection.execute("use serving")
        for statement in statements:
            connection.execute(statement)
    return scratch.replace(to)


@pytest.fixture
def changed(sample: Settings, tmp_path: Path) -> Copy:
    """A function that copies the published sample and changes it by statements."""

    def copy(*statements: str, to: Path | None = None) -> Path:
        path = to or tmp_path / "published.duckdb"
        return changed_copy(sample.published, path, *statements)

    return copy


@pytest.fixture
def emptied(sample: Settings, changed: Copy) -> Path:
    """The published sample without a row in any of its tables."""
    with duckdb.connect(str(sample.published), read_only=True) as connection:
        tables = connection.execute(
            "select name from serving.published_tables where kind = 'table'"
        ).fetchall()
    return changed(*(f"delete from {name}" for (name,) in tables))
