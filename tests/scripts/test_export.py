"""Export: the published tables of one version as files, all or none of them."""

from __future__ import annotations

import csv
import hashlib
import json
import resource
from datetime import date, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelhouse.cli import main
from reelhouse.errors import ReelhouseError
from reelhouse.serving import export as module
from reelhouse.serving.csv_export import neutralised
from reelhouse.serving.export import CONTENTS, export
from reelhouse.serving.folders import former_contents
from reelhouse.settings import Settings

FILMS = """
    create schema serving;
    create table serving.films (film_id bigint, "order" varchar, score double,
        price decimal(5,2), seen_at timestamp, seen_on date, is_new boolean);
    insert into serving.films values
        (-1, '=1+1', -1.5, -9.90, '2026-01-01 10:00:00', '2026-01-01', true),
        (2, '', null, null, null, null, null),
        (3, null, 0.1, 1.00, '1969-12-31 23:59:59', '1969-12-31', false),
        (4, 'a "b", c', 1e300, 0.01, null, null, true),
        (5, chr(13) || 'x', 2.0, 0.00, null, null, true),
        (6, 'two' || chr(10) || 'lines', 3.5, 0.00, null, null, true);
    create view serving.titles as select "order" as title from serving.films;
    create table serving.none (film_id bigint, title varchar);
    create table serving.publication as
        select 'one' as version, timestamp '2026-01-02 03:04:05' as published_at;
"""


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A warehouse whose published file contains FILMS."""
    warehouse = tmp_path / "warehouse"
    warehouse.mkdir()
    monkeypatch.setenv("REELHOUSE_WAREHOUSE", str(warehouse))
    monkeypatch.delenv("DBT_TARGET", raising=False)
    with duckdb.connect(str(warehouse / "published.duckdb")) as connection:
        connection.execute(FILMS)
    return Settings("", warehouse, "dev", None, 1.0, None)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def records(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def untouched(folder: Path) -> dict[str, bytes]:
    """Return everything in a folder and beside it, hidden files included."""
    return {
        str(path): path.read_bytes() if path.is_file() else b""
        for path in folder.parent.rglob("*")
    }


def test_parquet_holds_every_row_and_type(films: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    made = export(films, folder)
    names = ["films", "none", "publication", "titles"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [CONTENTS, *(f"{name}.parquet" for name in names)]
    )
    assert [(each.name, each.rows) for each in made.tables] == [
        ("films", 6),
        ("none", 0),
        ("publication", 1),
        ("titles", 6),
    ]
    with duckdb.connect() as connection:
        connection.execute(f"attach '{films.published}' as published (read_only)")
        for name in names:
            file = f"'{folder / name}.parquet'"
            table = f"published.serving.{name}"
            for one, other in ((file, table), (table, file)):
                assert not connection.execute(
                    f"from {one} except all from {other}"
                ).fetchall()
            kinds = [
                connection.execute(f"describe from {each}").fetchall()
                for each in (file, table)
            ]
            assert [row[:2] for row in kinds[0]] == [row[:2] for row in kinds[1]]


def test_csv_holds_numbers_as_they_are_and_runs_no_text(
    films: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    export(films, folder, "csv")
    header, *rows = records(folder / "films.csv")
    assert header[:3] == ["film_id", "order", "score"]
    assert rows == [
        ["-1", "'=1+1", "-1.5", "-9.90", "2026-01-01 10:00:00", "2026-01-01", "true"],
        ["2", "", "", "", "", "", ""],
        ["3", "", "0.1", "1.00", "1969-12-31 23:59:59", "1969-12-31", "false"],
        ["4", 'a "b", c', "1e+300", "0.01", "", "", "true"],
        ["5", "'\rx", "2.0", "0.00", "", "", "true"],
        ["6", "two\nlines", "3.5", "0.00", "", "", "true"],
    ]
    assert records(folder / "titles.csv")[1] == ["'=1+1"]
    call(tmp_path / "as is", "--format", "csv", "--as-is")
    assert records(tmp_path / "as is" / "titles.csv")[1] == ["=1+1"]
    assert records(folder / "none.csv") == [["film_id", "title"]]
    with duckdb.connect() as connection:
        back = connection.execute(
            f"from read_csv('{folder / 'films.csv'}', header = true)"
        ).fetchall()
    assert back[0][2:6] == (-1.5, -9.9, datetime(2026, 1, 1, 10), date(2026, 1, 1))


@pytest.mark.long
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=30,
)
@given(
    texts=st.lists(
        st.builds(
            str.__add__,
            st.sampled_from(["", *"=+-@\t\r\n'é＝＠", " =", "\u3000＋", "\ufeff-"]),
            st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=4),
        )
    )
)
def test_sql_and_python_neutralise_alike(texts: list[str]) -> None:
    with duckdb.connect() as connection:
        connection.execute("create table texts (place bigint, text varchar)")
        if texts:
            connection.executemany("insert into texts values (?, ?)", enumerate(texts))
        rows = connection.execute(
            f"select {module._neutralised('text')} from texts order by place"
        ).fetchall()
    assert [text for (text,) in rows] == [neutralised(text) for text in texts]


def test_text_of_a_list_of_values_runs_nothing(films: Settings, tmp_path: Path) -> None:
    with duckdb.connect(str(films.published)) as connection:
        connection.execute(
            "create table serving.moods as select cast('=1+1' as enum('=1+1')) as mood"
        )
    export(films, tmp_path / "folder", "csv")
    assert (tmp_path / "folder" / "moods.csv").read_text() == "mood\n'=1+1\n"


def test_the_command_says_what_is_there(films: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    result = call(folder, "--format", "csv")
    assert result.exit_code == 0, result.output
    assert "4 tables exported (13 rows) of version one" in result.output
    contents = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
    assert contents["version"] == "one"
    assert contents["published_at"] == "2026-01-02 03:04:05"
    digest = hashlib.sha256((folder / "films.csv").read_bytes()).hexdigest()
    listed = {"name": "films", "file": "films.csv", "rows": 6, "sha256": digest}
    assert contents["files"][0] == listed
    assert films.published.exists()


def test_an_earlier_export_is_replaced_whole(films: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    export(films, folder, "csv")
    with duckdb.connect(str(films.published)) as connection:
        connection.execute("drop table serving.none")
        connection.execute("update serving.publication set version = 'two'")
    result = call(folder)
    assert result.exit_code == 0, result.output
    assert "It replaces the export of version one." in result.output
    assert sorted(path.name for path in folder.iterdir()) == [
        CONTENTS,
        "films.parquet",
        "publication.parquet",
        "titles.parquet",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "warehouse"]


def test_an_empty_folder_is_as_good_as_none(films: Settings, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert export(films, tmp_path / "folder").replaces is None


FOREIGN = {
    "a file": ("notes.txt", "mine"),
    "a file beside a broken list": (CONTENTS, "{"),
    "a file that a list of another form names": (CONTENTS, '{"files": ["a"]}'),
}


@pytest.mark.parametrize(("name", "text"), FOREIGN.values(), ids=FOREIGN)
def test_what_no_export_has_written_is_left_alone(
    films: Settings, tmp_path: Path, name: str, text: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).write_text(text)
    before = untouched(folder)
    result = call(folder)
    assert result.exit_code == 1
    assert f"{folder} contains files that this command did not write" in result.stderr
    assert f"({name})" in result.stderr
    assert untouched(folder) == before
    assert films.published.exists()


def test_a_file_added_to_an_export_is_left_alone(
    films: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    export(films, folder)
    (folder / "mine.pbix").write_text("work")
    before = untouched(folder)
    with pytest.raises(ReelhouseError, match=r"\(mine\.pbix\)"):
        export(films, folder)
    assert untouched(folder) == before


def test_a_file_of_an_export_that_was_changed_is_left_alone(
    films: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    export(films, folder, "csv")
    with (folder / "films.csv").open("a") as file:
        file.write("a note\n")
    before = untouched(folder)
    with pytest.raises(ReelhouseError, match=r"changed since \(films\.csv\)"):
        export(films, folder, "csv")
    assert untouched(folder) == before


def test_a_file_is_no_folder(films: Settings, tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("mine")
    with pytest.raises(ReelhouseError, match="is a file"):
        export(films, tmp_path / "folder")
    assert (tmp_path / "folder").read_text() == "mine"


def test_a_folder_without_room_is_named(films: Settings, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(ReelhouseError, match="make room there, or name"):
            export(films, tmp_path / "folder")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["warehouse"]


def test_nothing_is_published(films: Settings, tmp_path: Path) -> None:
    films.published.unlink()
    with pytest.raises(ReelhouseError, match="nothing has been published yet"):
        export(films, tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["warehouse"]


def test_a_table_that_cannot_be_read_leaves_nothing(
    films: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    export(films, folder)
    before = untouched(folder)
    with duckdb.connect(str(films.published)) as connection:
        connection.execute(
            "create view serving.unreadable as select 1 / (film_id - film_id) as one, "
            "error('no') as two from serving.films"
        )
    before = untouched(folder)
    assert call(folder).exit_code == 1
    assert untouched(folder) == before


def test_a_publish_meanwhile_changes_nothing(films: Settings, tmp_path: Path) -> None:
    """Replace the file after the first table, as a publish does."""
    newer = tmp_path / "newer.duckdb"
    with duckdb.connect(str(newer)) as connection:
        connection.execute(FILMS.replace("'one'", "'two'"))
        connection.execute("delete from serving.films")

    def progress(name: str, done: int, total: int) -> None:
        assert (name, total) == ("export", 4)
        if done == 1:
            newer.replace(films.published)

    made = export(films, tmp_path / "folder", progress=progress)
    assert not newer.exists()
    assert made.version == "one"
    assert {each.rows for each in made.tables if each.name != "none"} == {6, 1}


def test_polars_reads_the_sample(sample: Settings, tmp_path: Path) -> None:
    """Read every exported table with a library other than DuckDB."""
    import polars

    made = export(sample, tmp_path / "folder")
    assert {"fct_ratings", "dim_movies", "mart_user_behaviour"} <= {
        each.name for each in made.tables
    }
    for each in made.tables:
        frame = polars.read_parquet(made.folder / each.file)
        assert frame.height == each.rows
    ratings = polars.read_parquet(made.folder / "fct_ratings.parquet")
    assert ratings["rating"].max() == Decimal("5.0")


def test_a_folder_is_not_looked_through_when_it_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Path, "rglob", lambda folder, _: (folder / str(each) for each in count())
    )
    with pytest.raises(ReelhouseError, match=r"\(0, 1, 2, …\)"):
        former_contents(tmp_path, CONTENTS)
