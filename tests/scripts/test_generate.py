"""The generated data: its bytes, its shape, the sample's wealth, the planted faults."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from reelhouse.movielens.generate import (
    HEADERS,
    MANIFEST,
    UNFINISHED,
    GenerateError,
    generate,
)
from reelhouse.movielens.generator import chance, dirt, genome, people, ratings, words
from reelhouse.movielens.generator.later import LATER, RATINGS

# The pipeline does not use the generator.
pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "sample"
SMALL = 2_000

COLUMNS = {
    "ratings": {
        "user_id": "bigint",
        "movie_id": "bigint",
        "rating": "decimal(2,1)",
        "ts": "bigint",
    },
    "movies": {"movie_id": "bigint", "title": "varchar", "genres": "varchar"},
    "tags": {
        "user_id": "bigint",
        "movie_id": "bigint",
        "tag": "varchar",
        "ts": "bigint",
    },
    "links": {"movie_id": "bigint", "imdb_id": "varchar", "tmdb_id": "varchar"},
    "genome-tags": {"tag_id": "bigint", "tag": "varchar"},
    "genome-scores": {
        "movie_id": "bigint",
        "tag_id": "bigint",
        "relevance": "varchar",
    },
}
GOOD_RATING = re.compile(r"\d+,\d+,([1-4]\.[05]|0\.5|5\.0),1\d{9}")
LATEST = """
create or replace table ratings as
    select * from ratings
    qualify row_number() over (partition by user_id, movie_id order by ts desc) = 1
"""
TABLES = """
create table rated as
    select movie_id, count(*) as n, avg(rating)::double as average,
        min(ts) // 86400 as first_day
    from ratings group by movie_id;
create table user_counts as
    select user_id, count(*) as n from ratings group by user_id;
create table movie_genres as
    select movie_id, unnest(string_split(genres, '|')) as genre from movies;
create table release_years as
    select movie_id,
        try_cast(regexp_extract(title, '\\(([0-9]{4})[^()]*\\)+\\s*$', 1) as int)
            as release_year
    from movies;
create table scores as
    select movie_id, tag, round(relevance::double, 5) as relevance
    from genome_scores join genome_tags using (tag_id);
"""


@dataclass(frozen=True)
class Data:
    """The six files of a folder as tables."""

    connection: duckdb.DuckDBPyConnection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def one(self, sql: str) -> Any:
        (row,) = self.rows(sql)
        return row[0] if len(row) == 1 else row


def read(folder: Path, later: str = "") -> Data:
    """Read the files of a delivery: only the latest ratings, and no bad records."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    for name, columns in COLUMNS.items():
        newer = folder / later / f"{name}.csv"
        path = newer if newer.exists() else folder / f"{name}.csv"
        connection.execute(
            f"create table {name.replace('-', '_')} as select * from read_csv("
            "?, columns = ?, header = true, delim = ',', quote = '\"', escape = '\"')",
            [str(path), columns],
        )
    if later:
        records = (folder / RATINGS).read_text().splitlines()[1:]
        good = [each.split(",") for each in records if GOOD_RATING.fullmatch(each)]
        connection.executemany("insert into ratings values (?, ?, ?, ?)", good)
        connection.execute(LATEST)
    connection.execute(TABLES)
    return Data(connection)


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def sample() -> Data:
    return read(SAMPLE, LATER)


@pytest.fixture(scope="module")
def first() -> Data:
    """The tables of the sample's first delivery alone."""
    return read(SAMPLE)


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """A data set of 200,000 ratings."""
    out = tmp_path_factory.mktemp("larger")
    generate(out, 200_000, 3)
    return read(out)


# ---- bytes ----------------------------------------------------------------------


def test_sample_is_what_the_documented_command_writes(tmp_path: Path) -> None:
    readme = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    command = (
        r"reelhouse generate --ratings (\d+) --seed (\d+) --later --out data/sample"
    )
    (arguments,) = re.findall(command, readme)
    generate(tmp_path, *map(int, arguments), later=True)
    assert hashes(tmp_path) == hashes(SAMPLE)
    files = [path for path in SAMPLE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2_000_000


def test_same_arguments_same_bytes_whatever_the_block_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path / "one", SMALL, 5, dirty=True, later=True)
    monkeypatch.setattr(ratings, "BLOCK", 300)
    monkeypatch.setattr(genome, "_BLOCK_ROWS", 100)
    generate(tmp_path / "two", SMALL, 5, dirty=True, later=True)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


def test_another_seed_gives_other_data_of_the_same_size(tmp_path: Path) -> None:
    one = generate(tmp_path / "one", SMALL, 5)
    two = generate(tmp_path / "two", SMALL, 6)
    sizes = {name: size for name, size in one.records.items() if name != "tags.csv"}
    assert sizes.items() <= two.records.items()
    pairs = zip(
        hashes(tmp_path / "one").items(), hashes(tmp_path / "two").items(), strict=True
    )
    same = [name for (name, left), (_, right) in pairs if left == right]
    assert same == ["genome-tags.csv"]


@pytest.mark.parametrize("count", [1_000, 1_001, 9_999, 28_001])
def test_number_of_ratings_is_exact(tmp_path: Path, count: int) -> None:
    report = generate(tmp_path, count, 1)
    data = (tmp_path / "ratings.csv").read_bytes()
    assert data.count(b"\r\n") == count + 1
    assert report.records["ratings.csv"] == count
    pairs = {line.rsplit(b",", 2)[0] for line in data.splitlines()[1:]}
    assert len(pairs) == count


@pytest.mark.parametrize("total", [2_000_000, 2_000_001, 16_000_007, 40_000_000])
def test_ratings_are_shared_out_to_the_last(total: int) -> None:
    """Also if most wishes are so small that proportional rounds would never finish."""
    drawn = chance.draw(1, "any", np.arange(100_000))
    wishes = drawn.lognormal(47.9, 1.5, 16) + 1
    limits = np.where(np.arange(100_000) % 2 == 0, 500, 30_000)
    counts = people._share_out(total, wishes, limits)
    assert int(counts.sum()) == total
    assert (counts >= 20).all()
    assert (counts <= limits).all()


def test_platform_tables_are_pinned() -> None:
    """Tables that a platform's logarithm could change contain fixed integers."""
    for table, digest in (
        (chance.normal_table(), "f2ac11ffffd4"),
        (chance.lognormal_table(47.9, 1.5, 16), "7a1ff54d789e"),
        (chance.lognormal_table(8.6, 1.75), "219303d9e86f"),
        (chance.lognormal_table(4_000.0, 2.3), "0f3deb6fc6c5"),
        (chance.lognormal_table(20.0, 1.9, 16), "18febe9d5661"),
        (genome._steps_table(), "9f1bbfa0c53f"),
        (chance.rank_weights(1_000, 270), "c6adb6bab7b3"),
    ):
        text = ",".join(map(str, table.tolist())).encode("ascii")
        assert hashlib.sha256(text).hexdigest()[:12] == digest


def test_rounding_that_a_platform_could_change_is_refused() -> None:
    assert chance.rounded(2.4999) == 2
    assert chance.rounded(-2.4999) == -2
    for value in (2.5, 2.5 + 1e-12, -0.5):
        with pytest.raises(ArithmeticError, match="boundary"):
            chance.rounded(value)


def test_arrays_and_single_draws_agree() -> None:
    keys = {(9, "anything"), (10, "anything"), (9, "other")}
    assert len({chance.stream_key(*key) for key in keys}) == 3
    items = np.array([0, 1, 77, 1 << 40])
    of_array = chance.draw(9, "anything", (items << 10) + 1).below(1_000)
    of_dice = [chance.Dice(9, "anything", n).below(1_000) for n in items.tolist()]
    assert of_array.tolist() == of_dice
    # SplitMix64 seeded with 0 starts with this number.
    assert chance.mix(chance.GOLDEN) == 0xE220A8397B1DCDAF


# ---- contract -------------------------------------------------------------------


@pytest.mark.parametrize("name", HEADERS)
def test_sample_is_plain_csv(name: str) -> None:
    data = (SAMPLE / name).read_bytes()
    assert data.startswith(HEADERS[name].encode("ascii") + b"\r\n")
    assert data.endswith(b"\r\n")
    assert data.count(b"\n") == data.count(b"\r") == data.count(b"\r\n")
    text = data.decode("utf-8")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len(rows) == data.count(b"\r\n")
    assert {len(row) for row in rows} == {HEADERS[name].count(",") + 1}
    # Quotes only around fields that need them, and doubled inside.
    minimal = io.StringIO(newline="")
    for row in rows:
        fields = [
            '"' + each.replace('"', '""') + '"' if set(each) & set(',"') else each
            for each in row
        ]
        minimal.write(",".join(fields) + "\r\n")
    assert minimal.getvalue() == text


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("ratings.csv", 2),
        ("movies.csv", 1),
        ("tags.csv", 2),
        ("links.csv", 1),
        ("genome-scores.csv", 2),
        ("genome-tags.csv", 1),
    ],
)
def test_sample_is_sorted(name: str, columns: int) -> None:
    with (SAMPLE / name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    keys = [tuple(map(int, row[:columns])) for row in rows]
    assert keys == sorted(keys)
    if name != "tags.csv":
        assert len(set(keys)) == len(keys)
    else:
        assert len({tuple(row[:3]) for row in rows}) == len(rows)


RULES = {
    "a rating before its movie's release year": """
        select count(*) from ratings join release_years using (movie_id)
        where year(to_timestamp(ts)) < release_year""",
    "half stars before 2003-02-18": """
        select count(*) from ratings where ts < 1045526400 and rating % 1 <> 0""",
    "a user with fewer than 20 ratings": """
        select count(*) from user_counts where n < 20""",
    "a rating of an unknown movie": """
        select count(*) from ratings anti join movies using (movie_id)""",
    "a tag of an unknown movie": """
        select count(*) from tags anti join movies using (movie_id)""",
    "movies and links that differ": """
        select count(*) from movies full join links using (movie_id)
        where title is null or imdb_id is null""",
    "a scored movie without all tags": """
        select count(*) from (
            select count(*) as n from genome_scores group by movie_id
        ) where n <> (select count(*) from genome_tags)""",
    "a relevance out of (0, 1]": """
        select count(*) from scores where not (relevance > 0 and relevance <= 1)""",
    "an imdbId of another length": """
        select count(*) from links
        where not regexp_full_match(imdb_id, '[0-9]{7,8}')""",
    "an imdbId twice": """
        select count(*) - count(distinct imdb_id) from links""",
}


@pytest.mark.parametrize("rule", RULES)
def test_nothing_breaks_a_rule(
    sample: Data, first: Data, larger: Data, rule: str
) -> None:
    assert sample.one(RULES[rule]) == 0
    # The wrong year of one movie is mended later, and the movie that is there twice.
    assert first.one(RULES[rule]) <= (rule in MENDED)
    assert larger.one(RULES[rule]) == 0


MENDED = {"movies and links that differ", "a scored movie without all tags"}
STORY = {
    "ratings since": ("""
        select count(*) from ratings anti join before.ratings using (user_id, movie_id)
        """, 1_000),
    "second thoughts": ("""
        select count(*) from ratings join before.ratings as old
            using (user_id, movie_id)
        where ratings.rating <> old.rating and ratings.ts > old.ts""", 5),
    "new users": ("""
        select count(distinct user_id) from ratings
            anti join before.ratings using (user_id)""", 10),
    "new movies": ("""
        select count(*) from movies anti join before.movies using (movie_id)""", 5),
    "movies that are gone": ("""
        select count(*) from before.movies anti join movies using (movie_id)""", 1),
    "other titles": ("""
        select count(*) from movies join before.movies as old using (movie_id)
        where movies.title <> old.title""", 2),
    "other genres": ("""
        select count(*) from movies join before.movies as old using (movie_id)
        where movies.genres <> old.genres""", 1),
    "links that were missing": ("""
        select count(*) from links join before.links as old using (movie_id)
        where old.tmdb_id is null and links.tmdb_id is not null""", 3),
    "links that were wrong": ("""
        select count(*) from links join before.links as old using (movie_id)
        where old.tmdb_id <> links.tmdb_id""", 1),
    "tags since": ("""
        select count(*) from tags
            anti join before.tags using (user_id, movie_id, tag)""", 100),
    "tags typed anew": ("""
        select count(*) from tags join before.tags as old
            using (user_id, movie_id, ts)
        where tags.tag <> old.tag and lower(tags.tag) = lower(old.tag)""", 5),
    "tags that were taken back": ("""
        select count(*) from before.tags as old
        where lower(tag) not in (
            select lower(tag) from tags
            where (user_id, movie_id) = (old.user_id, old.movie_id)
        )""", 6),
}  # fmt: skip


@pytest.mark.parametrize(("sql", "least"), STORY.values(), ids=STORY)
def test_the_later_delivery_tells_a_story(
    sample: Data, first: Data, sql: str, least: int
) -> None:
    for name in ("ratings", "movies", "links", "tags"):
        rows = first.connection.sql(f"from {name}").df()
        sample.connection.execute(
            f"create schema if not exists before; "
            f"create or replace table before.{name} as from rows"
        )
        del rows
    assert sample.one(sql) >= least


def test_the_later_delivery_has_a_few_bad_ratings() -> None:
    records = (SAMPLE / RATINGS).read_text().splitlines()[1:]
    assert 5 <= sum(not GOOD_RATING.fullmatch(each) for each in records) <= 20


def test_some_users_rate_far_more_than_most(sample: Data, larger: Data) -> None:
    """As in ml-latest-small, where the busiest tenth of users gave 48% of ratings."""
    for data in (sample, larger):
        median, busiest, share = data.one("""
            select median(n), max(n),
                sum(n) filter (n >= (select quantile_cont(n, 0.9) from user_counts))
                    / sum(n)
            from user_counts""")
        assert busiest > 10 * median
        assert 0.35 < share < 0.6


# ---- odd values -----------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        r"^ \S", r"\S $", r"\S\xa0$", r"\S  \S", r"\S\xa0\S", r'"', r", The \(\d{4}\)$",
        r", An? \(\d{4}\)$", r"\(\d{4}–\d{4}\)$", r"\(\d{4}-\d{4}\)$", r"\(\d{4}-\)$",
        r"\(\d{4}– \)$", r"\(\d{4}\)\)$", r"\(\d{4}\) \(\d{4}\)$", r"[^\d )]$",
        r"\((Der|Die|Das|La|Le|El|Il|\w+).*\) \(\d{4}\)$", r"[ŁØÉéíşșńöøè]",
    ],
)  # fmt: skip
def test_sample_has_titles_like(sample: Data, pattern: str) -> None:
    titles = [title for (title,) in sample.rows("select title from movies")]
    assert any(re.search(pattern, title) for title in titles)


ODD = {
    "pairs of movies with one title": """
        select count(*) from (
            select title from movies group by 1 having count(*) = 2
        )""",
    "movies without listed genres": """
        select count(*) from movies where genres = '(no genres listed)'""",
    "imdbIds with a leading zero": """
        select count(*) from links where imdb_id like '0%' and length(imdb_id) = 7""",
    "imdbIds of 8 digits": """
        select count(*) from links where length(imdb_id) = 8""",
    "blank tmdbIds": "select count(*) from links where tmdb_id is null",
    "tmdbIds of several movies": """
        select count(*) from (
            select tmdb_id from links where tmdb_id is not null
            group by 1 having count(*) > 2
        )""",
    "blank tags": """
        select count(*) from tags where trim(coalesce(tag, ''), ' \u00a0') = ''""",
    "tags of one user that differ in case or space": """
        select count(*) from (
            select count(*) as n from tags
            group by user_id, movie_id, trim(lower(tag)) having n > 1
        )""",
    "007 among the user tags": "select count(*) from tags where tag = '007'",
    "007 in the genome": "select count(*) from genome_tags where tag = '007'",
    "relevances of many digits": """
        select count(*) from genome_scores where length(relevance) >= 18""",
    "users who only tag": """
        select count(distinct user_id)
        from tags anti join user_counts using (user_id)""",
    "movies tagged and never rated": """
        select count(distinct movie_id) from tags anti join rated using (movie_id)""",
    "movies tagged by users who did not rate them": """
        select count(*) from tags anti join ratings using (user_id, movie_id)""",
    "months without ratings": """
        with months as (
            select unnest(range(
                date_trunc('month', min(to_timestamp(ts)))::timestamp,
                max(to_timestamp(ts))::timestamp, interval 1 month
            )) as month from ratings
        )
        select count(*) from months where month not in (
            select date_trunc('month', to_timestamp(ts))::timestamp from ratings)""",
}


# More than chance alone would give.
LEAST = {"tags of one user that differ in case or space": 35}


@pytest.mark.parametrize("what", ODD)
def test_sample_has(sample: Data, what: str) -> None:
    assert sample.one(ODD[what]) >= LEAST.get(what, 1)


def test_months_stay_without_ratings_even_with_many_users(larger: Data) -> None:
    assert larger.one(ODD["months without ratings"]) == 4


# ---- wealth of the sample -------------------------------------------------------

CATEGORIES = """
    select case
            when n >= 100 and average >= 3.5 then 'evergreen'
            when n >= 20 and average >= 4.0 then 'rising_star'
            when n >= 100 and average >= 2.5 then 'fading'
            else 'unclassified'
        end as category, count(*)
    from rated group by 1
"""
MOMENTUM = """
    with last_day as (select max(ts) // 86400 as day from ratings),
    counts as (
        select movie_id, min(ts // 86400) > any_value(day) - 365 as is_new,
            count(*) filter (ts // 86400 > day - 365) as recent,
            count(*) filter (
                ts // 86400 > day - 730 and ts // 86400 <= day - 365
            ) as previous
        from ratings, last_day group by movie_id
    )
    select case
            when recent + previous < 10 then 'dormant'
            when is_new then 'new'
            when recent >= 1.25 * previous then 'rising'
            when recent <= 0.8 * previous then 'falling'
            else 'steady'
        end as momentum, count(*)
    from counts group by 1
"""
ENGAGEMENT = """
    with ranks as (
        select percent_rank() over (order by n) as share from user_counts
    )
    select case
            when share >= 0.95 then 'Super-High' when share >= 0.66 then 'High'
            when share >= 0.33 then 'Medium' else 'Low'
        end as level, count(*)
    from ranks group by 1
"""


@pytest.mark.parametrize(
    ("sql", "least"),
    [
        (
            CATEGORIES,
            {"evergreen": 12, "rising_star": 12, "fading": 8, "unclassified": 100},
        ),
        (
            MOMENTUM,
            {"new": 1, "rising": 35, "falling": 50, "steady": 50, "dormant": 100},
        ),
        (ENGAGEMENT, {"Super-High": 15, "High": 80, "Medium": 80, "Low": 80}),
        (
            "select rating::varchar, count(*) from ratings group by 1",
            {f"{half / 2:.1f}": 200 for half in range(1, 11)},
        ),
        (
            "select genre, count(*) from movie_genres join rated using (movie_id) "
            "group by 1",
            dict.fromkeys((*words.GENRES, words.NO_GENRES), 3),
        ),
    ],
    ids=["recommendation", "momentum", "engagement", "half stars", "genres"],
)
def test_sample_fills_every_class(
    sample: Data, sql: str, least: dict[str, int]
) -> None:
    found = dict(sample.rows(sql))
    assert found.keys() == least.keys()
    assert {name: found[name] for name in least if found[name] < least[name]} == {}


RICHES = {
    "movies with a hundred ratings": (
        "select count(*) from rated where n >= 100", 40),
    "movies with twenty ratings": (
        "select count(*) from rated where n >= 20", 300),
    "genres with a top ten": ("""
        select count(*) from (
            select genre from movie_genres join rated using (movie_id)
            where n >= 20 group by 1 having count(*) >= 10
        )""", 14),
    "tags at the top of fifty movies": ("""
        with ranked as (
            select movie_id, tag, row_number() over (
                partition by movie_id order by relevance desc, tag) as place
            from scores
        )
        select count(*) from (
            select tag from ranked join rated using (movie_id)
            where place <= 10 and n >= 20 group by tag having count(*) >= 50
        )""", 12),
    "tags that fit at least one movie": (
        "select count(distinct tag) from scores where relevance >= 0.5", 80),
    "tags that several users typed": ("""
        select count(*) from (
            select trim(lower(tag)) as tag from tags group by 1
            having count(distinct user_id) > 1
        )""", 50),
    "months of cohorts": ("""
        select count(distinct month) from (
            select date_trunc('month', to_timestamp(min(ts))) as month
            from ratings group by user_id
        )""", 120),
    "users who came back after a month": ("""
        select count(*) from (
            select user_id from ratings group by 1
            having count(distinct date_trunc('month', to_timestamp(ts))) > 1
        )""", 50),
    "release years, from the first to the last": (
        "select max(release_year) - min(release_year) from release_years", 90),
    "pairs of movies that ten people like": ("""
        with likes as (select user_id, movie_id from ratings where rating >= 4)
        select count(*) from (
            select 1 from likes as one join likes as other using (user_id)
            where one.movie_id < other.movie_id
            group by one.movie_id, other.movie_id having count(*) >= 10
        )""", 1_000),
}  # fmt: skip


@pytest.mark.parametrize("what", RICHES)
def test_sample_is_rich_in(sample: Data, what: str) -> None:
    sql, least = RICHES[what]
    assert sample.one(sql) >= least


def test_best_movies_look_plausible(sample: Data) -> None:
    best = sample.rows(
        "select average, title from rated join movies using (movie_id) "
        "where n >= 100 order by 1 desc limit 5"
    )
    assert all(4.0 <= average <= 4.5 for average, _ in best)


# ---- shape ----------------------------------------------------------------------

GAPS = """
    with ordered as (
        select user_id, ts, ts - lag(ts) over (partition by user_id order by ts) as gap
        from ratings
    )
"""
# A query, and the least and most it may return: MovieLens's values, with room.
SHAPE = {
    "ratings per user, median": ("select median(n) from user_counts", 55, 85),
    "ratings per user, mean": ("select avg(n) from user_counts", 140, 190),
    "ratings per user, p99": (
        "select quantile_cont(n, 0.99) from user_counts", 900, 2_000),
    "share of the busiest tenth": ("""
        select sum(n) filter (share >= 0.9) / sum(n) from (
            select n, percent_rank() over (order by n) as share from user_counts
        )""", 0.42, 0.58),
    "average rating": ("select avg(rating) from ratings", 3.42, 3.60),
    "spread of user averages": ("""
        select stddev(average) from (
            select avg(rating) as average from ratings group by user_id
        )""", 0.36, 0.52),
    "spread of movie averages": (
        "select stddev(average) from rated where n >= 100", 0.24, 0.44),
    "popular movies are better": (
        "select corr(ln(n), average) from rated where n >= 10", 0.05, 0.45),
    "gap between ratings, median": (
        GAPS + "select median(gap) from ordered", 8, 15),
    "gaps within an hour": (GAPS + """
        select avg((gap <= 3600)::int) from ordered where gap is not null""",
        0.92, 0.97),
    "ratings in the first session": (GAPS + """
        , sessions as (
            select count(*) filter (gap > 3600) over (
                partition by user_id order by ts rows unbounded preceding
            ) as session
            from ordered
        )
        select avg((session = 0)::int) from sessions""", 0.42, 0.62),
    "genres per movie": ("""
        select (select count(*) from movie_genres) / (select count(*) from movies)""",
        2.19, 2.35),
    "movies with a trailing article": ("""
        select avg(regexp_matches(title, ', (The|A|An) \\(')::int) from movies""",
        0.15, 0.30),
    "users who tag": ("""
        select count(distinct user_id) / (select count(*) from user_counts)
        from tags semi join user_counts using (user_id)""", 0.07, 0.12),
    "relevance, median": ("select median(relevance) from scores", 0.045, 0.065),
    "relevance, p95": (
        "select quantile_cont(relevance, 0.95) from scores", 0.35, 0.47),
    "tags fit the movie's genres": ("""
        select avg(relevance) filter (g.genre = 'Horror')
            / avg(relevance) filter (g.genre is null)
        from scores left join movie_genres as g
            on scores.movie_id = g.movie_id and g.genre = 'Horror'
        where tag in ('haunted house', 'ghosts', 'slasher')""", 3, 50),
}  # fmt: skip


@pytest.mark.parametrize("what", SHAPE)
def test_shape_is_movielens(larger: Data, what: str) -> None:
    sql, least, most = SHAPE[what]
    assert least <= larger.one(sql) <= most


def test_stars_are_given_as_often_as_in_movielens(larger: Data) -> None:
    expected = (0.014, 0.028, 0.018, 0.075, 0.055, 0.199, 0.130, 0.266, 0.085, 0.131)
    found = larger.rows(
        "select count(*) / sum(count(*)) over () from ratings "
        "group by rating order by rating"
    )
    for share, (each,) in zip(expected, found, strict=True):
        assert abs(share - each) < 0.02


def test_tags_come_soon_after_ratings(larger: Data) -> None:
    share = larger.one(
        "select avg((tags.ts - ratings.ts between 0 and 3600)::int) "
        "from tags join ratings using (user_id, movie_id)"
    )
    assert share > 0.95


# ---- faults ---------------------------------------------------------------------


@dataclass(frozen=True)
class Dirty:
    clean: Path
    folder: Path
    manifest: dict[str, Any]


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Dirty:
    clean, folder = (tmp_path_factory.mktemp(name) for name in ("clean", "dirty"))
    generate(clean, 28_000, 4)
    report = generate(folder, 28_000, 4, dirty=True)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="ascii"))
    assert report.manifest == folder / MANIFEST
    planted = sum(len(part["planted"]) for part in manifest["files"].values())
    assert report.planted == planted
    return Dirty(clean, folder, manifest["files"])


def physical_lines(path: Path) -> list[bytes]:
    """Return the lines after the header, with their line ends."""
    return path.read_bytes().splitlines(keepends=True)[1:]


ORIGINALS = re.compile(r"_(original|winner)$|^lf_line_end$")
WHOLE = r"[1-9]\d{0,17}"
MOMENT = r"\d{1,9}|[123]\d{9}"
FIELDS = {
    "userId": WHOLE,
    "movieId": WHOLE,
    "tagId": WHOLE,
    "rating": r"0\.5|[1-4]\.[05]|5\.0",
    "timestamp": MOMENT,
    "title": r".+",
    "genres": r".+",
    "tag": r".*",
    "imdbId": r"\d{7,8}",
    "tmdbId": r"\d*",
    "relevance": r"0\.\d*[1-9]\d*|1",
}


def keeps_contract(name: str, line: bytes) -> bool:
    """Whether one line alone is a good record, by a check of this test's own."""
    try:
        text = line.decode("utf-8")
        (row,) = csv.reader([text], strict=True)
    except (UnicodeDecodeError, csv.Error):
        return False
    columns = HEADERS[name].split(",")
    if "\0" in text or len(row) != len(columns):
        return False
    return all(
        re.fullmatch(FIELDS[column], each)
        for column, each in zip(columns, row, strict=True)
    )


@pytest.mark.parametrize("name", HEADERS)
def test_manifest_says_exactly_what_is_in_the_file(dirty: Dirty, name: str) -> None:
    part = dirty.manifest[name]
    lines = physical_lines(dirty.folder / name)
    planted = {entry["record_number"]: entry for entry in part["planted"]}
    assert len(lines) == part["records"]
    rejected = {n for n, entry in planted.items() if entry["expected"] == "rejected"}
    assert len(rejected) == part["expected_rejected"]

    for number, entry in planted.items():
        raw = lines[number - 1].rstrip(b"\r\n")
        assert raw.decode("utf-8", errors="backslashreplace") == entry["text"]
        if "bytes_hex" in entry:
            assert bytes.fromhex(entry["bytes_hex"]) == raw
        if "other_record" in entry:
            assert planted[entry["other_record"]]["other_record"] == number
    bad = {n for n, line in enumerate(lines, 1) if not keeps_contract(name, line)}
    assert bad == rejected
    ends = {n for n, line in enumerate(lines, 1) if not line.endswith(b"\r\n")}
    assert ends == {n for n, e in planted.items() if e["kind"] == "lf_line_end"}


@pytest.mark.parametrize("name", HEADERS)
def test_without_the_planted_records_the_file_is_clean(dirty: Dirty, name: str) -> None:
    kinds = {
        entry["record_number"]: entry["kind"]
        for entry in dirty.manifest[name]["planted"]
    }
    left = [
        line.rstrip(b"\r\n") + b"\r\n"
        for number, line in enumerate(physical_lines(dirty.folder / name), start=1)
        if number not in kinds or ORIGINALS.search(kinds[number])
    ]
    assert left == physical_lines(dirty.clean / name)


FAULTS = {
    "wrong_type", "missing_column", "extra_column", "unbalanced_quote", "bad_utf8",
    "nul_byte", "empty_key", "fraction_in_integer", "exponent_in_integer",
    "integer_overflow", "line_break_in_quotes", "lf_line_end",
}  # fmt: skip
MOMENT_FAULTS = {"negative_timestamp", "future_timestamp", "empty_value"}
TEXT_FAULTS = {"sql", "jinja", "html", "formula", "null_like", "format_like", "tab"}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        (
            "ratings.csv",
            MOMENT_FAULTS
            | {
                "rating_out_of_range", "unknown_movie", "exact_duplicate",
                "exact_duplicate_original", "re_rated_later", "re_rated_original",
                "re_rated_earlier", "re_rated_winner", "tied_higher", "tied_original",
                "tied_lower", "tied_winner",
            },
        ),
        ("movies.csv", TEXT_FAULTS | {"duplicate_id", "duplicate_id_original"}),
        (
            "tags.csv",
            TEXT_FAULTS
            | MOMENT_FAULTS
            | {"blank_tag", "same_tag_again", "same_tag_original", "unknown_movie"},
        ),
        ("links.csv", {"unknown_movie"}),
        ("genome-tags.csv", set()),
        (
            "genome-scores.csv",
            {"relevance_out_of_range", "empty_value", "unknown_movie"},
        ),
    ],
)  # fmt: skip
def test_every_fault_is_planted(dirty: Dirty, name: str, more: set[str]) -> None:
    kinds = {entry["kind"] for entry in dirty.manifest[name]["planted"]}
    assert kinds == FAULTS | more


def test_competing_ratings_are_settled_as_the_manifest_says(dirty: Dirty) -> None:
    """The latest wins, then the higher rating; of two equal records the first wins."""
    best: dict[tuple[str, str], tuple[int, float, int]] = {}
    lines = physical_lines(dirty.folder / "ratings.csv")
    seen: Counter[tuple[str, str]] = Counter()
    for number, line in enumerate(lines, start=1):
        if not keeps_contract("ratings.csv", line):
            continue
        user, movie, rating, moment = line.decode("utf-8").strip().split(",")
        if int(moment) >= 4_000_000_000:
            continue
        seen[user, movie] += 1
        rank = (int(moment), float(rating), -number)
        best[user, movie] = max(rank, best.get((user, movie), rank))
    entries = dirty.manifest["ratings.csv"]["planted"]
    lost = {e["record_number"] for e in entries if e["expected"] == "superseded"}
    winners = {-number for _, _, number in best.values()}
    assert len(lost) == sum(seen.values()) - len(seen)
    assert not lost & winners
    assert {e["other_record"] for e in entries if "other_record" in e} - lost <= winners


def test_nothing_comes_between_the_halves_of_a_broken_line(tmp_path: Path) -> None:
    path = tmp_path / "movies.csv"
    path.write_bytes(b"movieId,title,genres\r\n")
    file = dirt._File(path.name, path, seed=1, head=10)
    file.plant("line_break_in_quotes", "first half", "second half")
    for _ in range(60):
        file.plant("wrong_type", "between?")
    lines = [record.data for record in file.records]
    assert lines.index(b"second half") == lines.index(b"first half") + 1


@pytest.mark.parametrize("seed", range(4))
def test_smallest_set_takes_all_faults(tmp_path: Path, seed: int) -> None:
    report = generate(tmp_path, 1_000, seed, dirty=True)
    assert report.planted > 150


# ---- behaviour ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratings_", "seed", "message"),
    [
        (999, 1, "ratings cannot be generated: ask for 1,000 to"),
        (-5, 1, "ask for"),
        (100_000_001, 1, "to 100,000,000"),
        (1_000, -1, "-1 is out of range"),
        (1_000, 1 << 64, "out of range"),
    ],
)
def test_arguments_out_of_range(
    tmp_path: Path, ratings_: int, seed: int, message: str
) -> None:
    with pytest.raises(GenerateError, match=message):
        generate(tmp_path / "new", ratings_, seed)
    assert not (tmp_path / "new").exists()


def test_out_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    for each in (path, path / "sub"):
        with pytest.raises(NotADirectoryError):
            generate(each, SMALL, 1)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["README.txt", "ratings.csv"])
def test_a_folder_with_any_file_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("real")
    with pytest.raises(GenerateError, match=f"not empty .*{name}.*name another"):
        generate(tmp_path, SMALL, 1)
    assert (tmp_path / name).read_text() == "real"


def test_what_a_killed_run_left_goes(tmp_path: Path) -> None:
    left = tmp_path / UNFINISHED / "2018-09-26/tags.csv.dirty"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    generate(tmp_path, SMALL, 2)
    assert hashes(tmp_path).keys() == set(HEADERS)


@pytest.mark.parametrize("step", ["ratings", "genome", "faults"])
def test_run_that_fails_leaves_nothing(tmp_path: Path, step: str) -> None:
    def full(name: str, done: int, total: int) -> None:
        if (name, done) == (step, total):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        generate(tmp_path, SMALL, 2, dirty=True, later=True, progress=full)
    assert not list(tmp_path.iterdir())


def test_progress_goes_up_to_the_total_of_each_step(tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    generate(tmp_path, SMALL, 1, dirty=True, progress=lambda *call: calls.append(call))
    steps = list(dict.fromkeys(name for name, _, _ in calls))
    assert steps == ["movies", "ratings", "tags", "genome", "faults"]
    for step in steps:
        done = [each for name, each, _ in calls if name == step]
        (total,) = {each for name, _, each in calls if name == step}
        assert done == sorted(done)
        assert done[0] == 0
        assert done[-1] == total
