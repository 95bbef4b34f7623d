"""The data layer: one version at a time, no open files, no repeated queries."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from tests.dashboard.conftest import Copy
from tests.delivery import unbuilt

from reelhouse.dashboard.filters import Filters
from reelhouse.dashboard.page import At, Figures, pages, questions, tidy
from reelhouse.dashboard.published import (
    HERE,
    Ask,
    Pace,
    Preview,
    Published,
    Serving,
    to_frame,
)
from reelhouse.errors import ReelhouseError
from reelhouse.serving.metrics import metrics
from reelhouse.settings import Settings

COUNT = "select count(*) as rows from serving.dim_movies"
NEW_VERSION = "update publication set version = '{}'"


def local(published: Path) -> Published:
    """Return the data source for a published file."""
    return Published(replace(unbuilt(), warehouse=published.parent))


@dataclass(eq=False)
class Watched:
    """A file, and every query that it received."""

    path: Path
    asked: list[str]
    pace: Pace = HERE

    @contextmanager
    def opened(self) -> Iterator[Ask]:
        with local(self.path).opened() as ask:

            def watched(sql: str) -> pd.DataFrame:
                self.asked.append(sql)
                return ask(sql)

            yield watched

    def stale(self) -> None:
        pass


def open_files() -> set[str]:
    return {
        str(link.readlink())
        for link in Path("/proc/self/fd").iterdir()
        if link.is_symlink()
    }


def test_values_are_the_same_whichever_engine_answered() -> None:
    frame = to_frame(
        ["whole", "exact", "at", "on", "text", "is_so", "nothing"],
        [
            (
                1,
                Decimal("0.5"),
                datetime(2020, 1, 2, 3),
                date(2020, 1, 2),
                "a",
                True,
                None,
            ),
            (None, None, None, None, None, None, None),
        ],
    )
    assert frame["whole"].tolist() == [1, pd.NA]
    assert frame["exact"][0] == 0.5
    assert frame["at"][0] == datetime(2020, 1, 2, 3, tzinfo=UTC)
    assert frame["on"][0] == datetime(2020, 1, 2, tzinfo=UTC)
    assert frame["text"].tolist() == ["a", None]
    assert frame["is_so"].tolist() == [True, pd.NA]
    assert frame.loc[1].isna().all()
    assert list(to_frame(["a", "b"], []).columns) == ["a", "b"]


def test_what_was_read_is_remembered(changed: Copy) -> None:
    place = Watched(changed(), [])
    serving = Serving(place)
    assert serving.ask(COUNT) is serving.ask(COUNT)
    assert place.asked.count(COUNT) == 1


def test_a_new_version_is_read_anew(changed: Copy) -> None:
    path = changed()
    serving = Serving(Watched(path, []))
    before = serving.read([COUNT])
    assert before[COUNT]["rows"][0] > 0
    changed(NEW_VERSION.format("next"), "delete from dim_movies", to=path)
    assert serving.version() == "next"
    after = serving.read([COUNT])
    assert (before.version, after.version) != (after.version, before.version)
    assert after[COUNT]["rows"][0] == 0


def test_a_page_is_of_one_version_though_another_comes_in_between(
    changed: Copy,
) -> None:
    """The file is replaced after the first answer; the second is from the old one."""
    path = changed()
    other = path.with_name("other.duckdb")
    changed(NEW_VERSION.format("next"), "delete from dim_movies", to=other)
    place = local(path)
    with place.opened() as ask:
        assert ask(COUNT)["rows"][0] > 0
        other.replace(path)
        again = ask("select count(*) as rows from serving.dim_movies where true")
        assert again["rows"][0] > 0
    assert Serving(place).ask(COUNT)["rows"][0] == 0


def test_an_account_that_publishes_meanwhile_is_read_again() -> None:
    """The version of an account may change between two answers."""
    versions = iter(["one", "two", "two", "two"])

    class Changing:
        pace = HERE

        @contextmanager
        def opened(self) -> Iterator[Ask]:
            def ask(sql: str) -> pd.DataFrame:
                if "publication" not in sql:
                    return pd.DataFrame({"rows": [self.rows()]})
                now = [(next(versions), datetime(2026, 1, 1), 1)]
                return to_frame(["version", "published_at", "load_id"], now)

            yield ask

        def stale(self) -> None:
            pass

        def rows(self) -> int:
            self.count = getattr(self, "count", 0) + 1
            return self.count

    reading = Serving(Changing()).read(["select 1"])
    assert (reading.version, reading["select 1"]["rows"][0]) == ("two", 2)


def test_an_account_that_publishes_for_ever_is_told_of() -> None:
    class Restless:
        pace = HERE
        count = 0

        @contextmanager
        def opened(self) -> Iterator[Ask]:
            def ask(_: str) -> pd.DataFrame:
                self.count += 1
                now = [(str(self.count), datetime(2026, 1, 1), 1)]
                return to_frame(["version", "published_at", "load_id"], now)

            yield ask

        def stale(self) -> None:
            pass

    with pytest.raises(ReelhouseError, match="again and again"):
        Serving(Restless()).read(["select 1"])


def test_no_old_file_is_kept_alive_by_readers_in_turns(changed: Copy) -> None:
    """While one reader is active, the next one sees what was published since."""
    path = changed()
    seen = []
    for name in ("second", "third"):
        with local(path).opened() as ask:
            ask(COUNT)
            changed(NEW_VERSION.format(name), to=path)
            # Use another thread, as sessions do; the first still has its file open.
            reader = threading.Thread(
                target=lambda: seen.append(Serving(local(path)).version())
            )
            reader.start()
            reader.join()
    assert seen == ["second", "third"]
    assert not [name for name in open_files() if "published.duckdb" in name]


def test_readers_reach_nothing_else(changed: Copy, tmp_path: Path) -> None:
    with local(changed()).opened() as ask:
        for sql in (
            "select * from read_csv('/etc/hostname')",
            f"attach '{tmp_path}/x.duckdb'",
            f"copy (select 1) to '{tmp_path}/x.csv'",
            "delete from serving.dim_movies",
            "set enable_external_access = true",
        ):
            with pytest.raises(ReelhouseError, match="cannot be read"):
                ask(sql)


def test_nothing_published_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ReelhouseError, match=r"nothing has been published yet"):
        Serving(local(tmp_path / "published.duckdb")).version()


def answers(place: Published, name: str, filters: Filters) -> list[pd.DataFrame]:
    """Return the answers to a page's queries, in order."""
    serving = Serving(place)
    page = pages()[name]
    at = At(filters, "1", date(1996, 3, 25), date(2018, 9, 25))
    asked = questions(page.at(at))
    reading = serving.read(asked)
    return [reading[sql] for sql in asked]


@pytest.mark.long
@pytest.mark.parametrize("name", pages())
def test_filters_that_mean_every_movie_change_no_figure(
    name: str, sample: Settings
) -> None:
    """Marts answer without filters, facts with them; the answers are the same."""
    place = local(sample.published)
    genres = Serving(place).ask("select genre from serving.dim_genres")
    ever = Filters(first_day=date(1996, 3, 25), last_day=date(2018, 9, 25))
    whole = answers(place, name, Filters())
    every = Filters(tuple(genres["genre"]))
    for frame, wide in zip(whole, answers(place, name, every), strict=True):
        pd.testing.assert_frame_equal(wide, frame, check_dtype=False, obj=name)
    if name == "genres":
        of_days = answers(place, name, ever)[1]
        pd.testing.assert_frame_equal(of_days, whole[1], check_dtype=False)


def test_figures_are_the_metrics(sample: Settings) -> None:
    serving = Serving(local(sample.published))
    for name in ("overview", "audience"):
        for block in pages()[name].at(At()):
            if isinstance(block, Figures):
                frame = serving.ask(tidy(block.sql))
                for metric in set(block.shown) & set(metrics()):
                    question = metrics()[metric].question
                    found = serving.ask(question)
                    assert found[metric][0] == frame[metric][0]


def test_filters_leave_the_movies_that_they_mean(sample: Settings) -> None:
    place = local(sample.published)
    filters = Filters(("Drama",), 1980, 1999, 30)
    (titles,) = (
        frame
        for frame in answers(place, "catalogue", filters)
        if "genres" in frame and len(frame) > 20
    )
    assert titles["genres"].str.split(", ").map(lambda each: "Drama" in each).all()
    assert titles["release_year"].between(1980, 1999).all()
    assert (titles["rating_count"] >= 30).all()
    totals = answers(place, "overview", filters)[0]
    assert totals["ratings"][0] == titles["rating_count"].sum()


@pytest.mark.long
def test_what_is_built_can_be_looked_at_before_it_is_published(
    sample: Settings,
) -> None:
    """The same tables in the build; its version differs from the published one's."""
    published, built = Serving(Published(sample)), Serving(Preview(sample))
    for name in ("overview", "genre", "health"):
        asked = questions(pages()[name].at(At(of="Drama")))
        here, there = published.read(asked), built.read(asked)
        assert here.version != there.version
        assert here.load_id == there.load_id
        for sql in asked:
            if "serving.publi" not in sql:
                pd.testing.assert_frame_equal(there[sql], here[sql])


def test_what_is_out_of_date_is_told_with_its_reason(sample: Settings) -> None:
    assert Published(sample).stale() == {}
    unbuilt_yet = replace(sample, warehouse=Path("no such folder"))
    assert Published(unbuilt_yet).stale() is None
