"""A folder as a source: read in place, and safe from a change under way."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.delivery import MOVIES, RATINGS, csv, unbuilt

from reelhouse.engines.duckdb.load import open_warehouse
from reelhouse.ingest import load as loading
from reelhouse.ingest import source as module
from reelhouse.ingest.load import LoadReport, load
from reelhouse.ingest.source import open_source
from reelhouse.s3 import ObjectChanged, S3Object
from reelhouse.settings import Settings

LONG_AGO = 1_700_000_000


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A folder with two files of long ago, and a machine where nothing is served."""

    def fail() -> None:
        raise AssertionError("a folder needs no server")

    monkeypatch.setattr(module, "serve_bucket", fail)
    source = tmp_path / "a [folder]"
    source.mkdir()
    for name, lines in (("movies", MOVIES), ("ratings", RATINGS)):
        (source / f"{name}.csv").write_bytes(csv(name, lines))
        os.utime(source / f"{name}.csv", (LONG_AGO, LONG_AGO))
    return replace(unbuilt(), source=str(source), warehouse=tmp_path / "warehouse")


def loaded(settings: Settings) -> LoadReport:
    with (
        open_source(settings) as source,
        open_warehouse(settings.database) as warehouse,
    ):
        return load(settings, source, warehouse)


def ratings_of(settings: Settings) -> Path:
    return Path(settings.source) / "ratings.csv"


def test_files_are_read_where_they_lie(settings: Settings) -> None:
    report = loaded(settings)
    assert report.live_rows["ratings"] == len(RATINGS)
    assert {entry.file for entry in report.entries} == {"movies.csv", "ratings.csv"}


def test_a_file_that_stays_is_known_by_size_and_times(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED_SECONDS", 0)
    loaded(settings)
    monkeypatch.delattr(module.Folder, "fetch")
    assert loaded(settings).unchanged == 2


def test_a_file_that_may_be_written_again_at_the_same_time_is_read_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED_SECONDS", 3600)
    loaded(settings)
    fetched = []
    fetch = module.Folder.fetch

    def listen(self: module.Folder, listed: S3Object, *rest: Any) -> Any:
        fetched.append(listed.key)
        return fetch(self, listed, *rest)

    monkeypatch.setattr(module.Folder, "fetch", listen)
    assert loaded(settings).unchanged == 2
    assert sorted(fetched) == ["movies.csv", "ratings.csv"]


def test_a_change_that_keeps_size_and_time_of_writing_is_seen(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED_SECONDS", 0)
    loaded(settings)
    path = ratings_of(settings)
    changed = csv("ratings", [RATINGS[0].replace("4.0", "2.0"), *RATINGS[1:]])
    assert len(changed) == path.stat().st_size
    path.write_bytes(changed)
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert [entry.file for entry in loaded(settings).entries] == ["ratings.csv"]


def test_a_file_that_changes_under_way_is_read_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ratings_of(settings)
    more = csv("ratings", [*RATINGS, "9,1,1.0,1164982931"])
    check = vars(loading)["check_header"]

    def change(*args: object) -> None:
        check(*args)
        if path.stat().st_size != len(more):
            path.write_bytes(more)

    monkeypatch.setattr(loading, "check_header", change)
    assert loaded(settings).live_rows["ratings"] == len(RATINGS) + 1


def test_a_file_that_does_not_stop_changing_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ratings_of(settings)
    check = vars(loading)["check_header"]

    def change(*args: object) -> None:
        check(*args)
        with path.open("ab") as file:
            file.write(b"9,1,1.0,1164982931\n")

    monkeypatch.setattr(loading, "check_header", change)
    with pytest.raises(ObjectChanged, match=r"ratings.csv was replaced while"):
        loaded(settings)
    with open_warehouse(settings.database) as warehouse:
        assert not warehouse.has_loads()
