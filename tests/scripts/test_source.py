"""A folder as a source: read in place, and safe from changes during the load."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.delivery import MOVIES, RATINGS, csv, unbuilt
from tests.project import PROJECT

from reelhouse.contract import sort_out
from reelhouse.engines.duckdb.load import open_warehouse
from reelhouse.errors import ReelhouseError
from reelhouse.ingest import load as loading
from reelhouse.ingest import source as module
from reelhouse.ingest.load import LoadReport, load
from reelhouse.ingest.source import list_folder, open_source
from reelhouse.s3 import ObjectChanged, S3Object
from reelhouse.settings import Settings, read_settings

LONG_AGO = 1_700_000_000


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A folder with two old files, where starting a server fails the test."""

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


LITTER = {
    "ratings/.ipynb_checkpoints/2005-checkpoint.csv": None,
    "ratings/_temporary/0/part-00000.csv": None,
    "ratings/_SUCCESS": None,
    "_delta_log/ratings.csv": None,
    "notes.txt": None,
    "ratings/2005.csv.xz": "ratings/2005.csv.xz is not read, .* unpack it",
    "ratings/part-00000": "ratings/part-00000 is not read, .* give it that ending",
    "ratings.csv.zip": "is compressed: unpack it to ratings.csv",
    "ratings.CSV.gz": "is not read, since ratings.csv is: remove one of the two",
    "tags.csv/part-0.csv": "tags.csv is a folder: name it tags",
    "ml-25m/ratings.csv": "the files are in the folder ml-25m: use it as the source",
    "a/b/movies.csv": "the files are in the folder a/b: use it as the source",
    "2018-13-01/ratings.csv": "2018-13-01 is not a delivery: .* named like 2026-01-31",
    "2018-9-26/movies.csv": "the folder 2018-9-26 is not a delivery",
    "20180926/movies.csv": "the folder 20180926 is not a delivery",
    "2018-09-26T10:30/movies.csv": "the folder 2018-09-26T10:30 is not a delivery",
    "in/2018-09-26/movies.csv": "in/2018-09-26 is not a delivery: .* at the top",
    "2018-09-26/2018-09-27/tags.csv": "2018-09-26/2018-09-27 is not a delivery",
    "2018-09-26/part/tags.csv": "the files are in the folder 2018-09-26/part",
    "2018-09-26//tags.csv": "2018-09-26//tags.csv is not read: its path has a folder",
    "2018-09-26": None,
    "ratings.dat": "is of MovieLens 1M or 10M, .* use a release such as",
    "u.data": "is of MovieLens 100K, .* use a release such as",
}


@pytest.mark.fault("27")
@pytest.mark.parametrize(("key", "hint"), LITTER.items(), ids=LITTER)
def test_what_lies_about_is_left_alone_and_named(key: str, hint: str | None) -> None:
    found = sort_out(["ratings.csv", "movies.csv", key])
    assert found.ignored == [key]
    assert len(found.hints) == (hint is not None)
    if hint:
        assert re.search(hint, found.hints[0])


@pytest.mark.fault("27")
def test_an_ending_in_capitals_is_read() -> None:
    keys = ["movies.CSV.GZ", "ratings/2005.CSV", "ratings/x/2006.Csv.gz"]
    found = sort_out(keys)
    assert found.by_entity["ratings"] == keys[1:]
    assert found.by_entity["movies"] == keys[:1]
    assert (found.ignored, found.hints) == ([], [])
    # In a later delivery it replaces the same file, whatever the ending.
    later = sort_out(["ratings.csv", "2018-09-26/ratings.CSV.GZ"])
    assert later.as_of("2018-09-26")["ratings"] == {
        "ratings.csv": "2018-09-26/ratings.CSV.GZ"
    }
    twice = sort_out(["ratings.CSV", "ratings.csv"])
    assert twice.hints == [
        "ratings.CSV is not read, since ratings.csv is: remove one of the two"
    ]


@pytest.mark.fault("27")
def test_many_files_in_a_wrong_folder_are_one_hint() -> None:
    found = sort_out(["ml-25m/ratings.csv", "ml-25m/movies.csv", "ml-25m/README.txt"])
    assert found.hints == ["the files are in the folder ml-25m: use it as the source"]


@pytest.mark.fault("27")
def test_a_linked_folder_is_read_and_a_link_to_nothing_named(tmp_path: Path) -> None:
    source, real = tmp_path / "source", tmp_path / "elsewhere"
    real.mkdir()
    source.mkdir()
    (source / "movies.csv").write_bytes(csv("movies", MOVIES))
    (real / "2005.csv").write_bytes(csv("ratings", RATINGS))
    (source / "ratings").symlink_to(real)
    # These links lead back to the source.
    (source / "again").symlink_to(source)
    (real / "up").symlink_to(source)
    listing = list_folder(source)
    assert listing.by_entity["ratings"] == ["ratings/2005.csv"]
    assert listing.ignored == []
    (source / "tags.csv").symlink_to(tmp_path / "nothing")
    with pytest.raises(ReelhouseError, match=r"tags\.csv is a link to a missing file"):
        list_folder(source)
    for name in ("pipe.csv", "device.csv.gz"):
        (source / "tags.csv").unlink(missing_ok=True)
        if name == "pipe.csv":
            os.mkfifo(real / name)
        else:
            (real / name).symlink_to("/dev/zero")
        with pytest.raises(ReelhouseError, match=rf"{name} is a pipe or a device"):
            list_folder(source)
        (real / name).unlink()


def test_a_path_is_the_source_as_it_was_given(tmp_path: Path) -> None:
    for day in ("monday", "tuesday"):
        (tmp_path / day).mkdir()
        (tmp_path / "today").unlink(missing_ok=True)
        (tmp_path / "today").symlink_to(tmp_path / day)
        named = read_settings(str(tmp_path / "today"), "dev", {}).source_name
        assert named == str(tmp_path / "today")
    # A checkout reached through a link, or by another name, keeps its warehouse.
    (tmp_path / "checkout").symlink_to(PROJECT)
    for root in (PROJECT, tmp_path / "checkout", PROJECT / "data/.."):
        named = read_settings(f"{root}/data/sample", "dev", {}).source_name
        assert named == "data/sample"


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        (None, "s3://bucket/folder"),
        ("https://s3.eu-west-1.amazonaws.com", "s3://bucket/folder"),
        ("http://127.0.0.1:9000", "s3://bucket/folder at 127.0.0.1:9000"),
        ("http://127.0.0.1:9001/", "s3://bucket/folder at 127.0.0.1:9001"),
        ("https://me:secret@Minio.example", "s3://bucket/folder at minio.example"),
    ],
)
def test_a_bucket_is_that_of_its_endpoint(endpoint: str | None, name: str) -> None:
    environ = {"AWS_ENDPOINT_URL": endpoint} if endpoint else {}
    assert read_settings("s3://bucket/folder/", "dev", environ).source_name == name


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
        assert warehouse.source() is None
