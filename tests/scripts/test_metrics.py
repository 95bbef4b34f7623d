"""Metrics: every reader of the definitions shows the values that the marts hold."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from tests.delivery import query
from tests.project import PROJECT

from reelhouse.errors import ReelhouseError
from reelhouse.serving.metrics import MARTS, all_metrics, metrics
from reelhouse.settings import Settings

SAVED = "models/_saved_queries.yml"
# Each metric, computed from other tables than the one that defines it.
BY_MARTS = {
    "ratings": "select sum(rating_count) from mart_user_engagement",
    "raters": "select count(*) from mart_user_engagement",
    "rated_movies": "select count(distinct movie_id) from fct_ratings",
    "ratings_per_rater": "select avg(rating_count) from mart_user_engagement",
    "average_rating": """
        select sum(average_rating * rating_count) / sum(rating_count)
        from mart_user_engagement
    """,
    "genre_ratings": "select sum(rating_count) from mart_genre_ratings",
    "genre_average_rating": """
        select sum(average_rating * rating_count) / sum(rating_count)
        from mart_genre_ratings
    """,
    "weighted_average_rating": """
        select sum(average_rating * rating_count) / sum(rating_count)
        from mart_movie_performance
    """,
    "active_users": """
        select count(distinct user_id) from fct_ratings
        where date_trunc('month', rated_date)
            = (select date_trunc('month', max(rated_date)) from fct_ratings)
    """,
    "new_users": "select count(*) from mart_user_engagement",
    "retention": """
        select sum(retention * cohort_users) / sum(cohort_users)
        from mart_user_cohorts where months_since != 0
    """,
    "movies_released": """
        select count(*) from dim_movies
        where release_year is not null and not is_deleted and not is_inferred
    """,
    "tags": "select sum(applications) from mart_user_tags",
}
# Per mart: the groups of the metrics, the mart's key, and the column per metric.
BY_GROUP = {
    "mart_monthly_trends": (
        "cast(date_trunc('month', rated_date) as date)",
        "month",
        {
            "ratings": "rating_count",
            "raters": "active_users",
            "rated_movies": "movies_rated",
            "average_rating": "average_rating",
        },
    ),
    "mart_user_engagement": (
        "user_id",
        "user_id",
        {"ratings": "rating_count", "average_rating": "average_rating"},
    ),
    "mart_genre_ratings": (
        "genre",
        "genre",
        {
            "weighted_average_rating": "weighted_average_rating",
            "genre_ratings": "rating_count",
            "genre_average_rating": "average_rating",
        },
    ),
    "mart_user_cohorts": (
        "cohort_month, months_since",
        "cohort_month, months_since",
        {"retention": "retention"},
    ),
}


def ask(sample: Settings, question: str) -> list[tuple[Any, ...]]:
    return query(sample.published, question)[1]


def test_every_metric_is_compared() -> None:
    assert BY_MARTS.keys() == metrics().keys()
    assert len(metrics()) >= 10


@pytest.mark.parametrize("name", BY_MARTS)
def test_a_metric_is_what_the_marts_say(sample: Settings, name: str) -> None:
    ((value,),) = ask(sample, metrics()[name].question)
    ((expected,),) = ask(sample, BY_MARTS[name])
    assert value > 0
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.long
@pytest.mark.parametrize("mart", BY_GROUP)
def test_a_metric_in_groups_is_the_column_of_the_mart(
    sample: Settings, mart: str
) -> None:
    groups, key, columns = BY_GROUP[mart]
    for name, column in columns.items():
        metric = metrics()[name]
        found = ask(
            sample,
            f"select {groups}, {metric.sql} from {metric.table} group by all "
            f"having {metric.sql} is not null order by all",
        )
        condition = "months_since > 0" if name == "retention" else f"{column} > 0"
        expected = ask(
            sample,
            f"select {key}, {column} from {mart} where {condition} order by all",
        )
        assert len(found) > 5
        assert [row[:-1] for row in found] == [row[:-1] for row in expected]
        assert [row[-1] for row in found] == pytest.approx(
            [row[-1] for row in expected], rel=1e-12
        )


def test_weights_show_in_a_plain_average_over_genres(sample: Settings) -> None:
    metric = metrics()["weighted_average_rating"]
    ((plain, weighted),) = ask(
        sample,
        "select sum(average_rating * rating_count) / sum(rating_count), "
        f"{metric.sql} from {metric.table}",
    )
    assert abs(plain - weighted) > 1e-4


def test_without_rows_there_is_a_count_and_no_average() -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema serving")
        for metric in metrics().values():
            measures = [metric.numerator, metric.denominator]
            columns = {
                column: "decimal(2,1)" if column == "rating" else "bigint"
                for measure in measures
                if measure
                for column in (
                    *measure.columns,
                    measure.newest_by,
                    measure.condition and measure.condition.column,
                )
                if column
            }
            definition = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            connection.execute(
                f"create or replace table serving.{metric.table} ({definition})"
            )
            ((value,),) = connection.execute(metric.question).fetchall()
            assert value in {None, 0}
            assert metric.text(value) in {"–", "0"}


def test_values_are_written_for_readers() -> None:
    shown = metrics()
    assert shown["ratings"].text(1234567) == "1,234,567"
    assert shown["average_rating"].text(3.456) == "3.46"
    assert shown["retention"].text(0.0249) == "2.5 %"
    assert shown["retention"].is_share
    assert shown["raters"].text(None) == "–"


def test_every_metric_is_described_and_every_part_is_used() -> None:
    parts = set(all_metrics()) - set(metrics())
    used = {
        ratio[side]
        for path in (PROJECT / MARTS).glob("*/*.yml")
        for ratio in yaml.safe_load(path.read_text(encoding="utf-8")).get("metrics", [])
        for side in ("numerator", "denominator")
    }
    assert parts
    assert parts <= used
    for metric in all_metrics().values():
        assert metric.label
        assert metric.description.endswith(".")


REFUSED = {
    "another aggregation": ("fct_ratings", "agg: count_distinct", "agg: median"),
    "an expression": ("fct_ratings", "expr: rating\n", "expr: rating + 1\n"),
    "another window": ("mart_monthly_trends", "window_agg: max", "window_agg: min"),
    "another filter": ("mart_user_cohorts", "months_since') }} > 0", "years') }} > 0"),
    "another type": ("fct_ratings", "type: ratio", "type: derived"),
    "a ratio over two tables": (
        "fct_ratings",
        "denominator: raters",
        "denominator: tags",
    ),
}
NAMED = ("median", "rating + 1", "window", "years", "derived", "same table")


@pytest.mark.parametrize(
    ("table", "old", "new", "word"),
    [(*case, word) for case, word in zip(REFUSED.values(), NAMED, strict=True)],
    ids=REFUSED,
)
def test_what_cannot_be_written_for_every_reader_is_refused(
    tmp_path: Path, table: str, old: str, new: str, word: str
) -> None:
    (path,) = (PROJECT / MARTS).glob(f"*/{table}.yml")
    text = path.read_text(encoding="utf-8")
    assert old in text
    changed = tmp_path / "marts" / path.name
    changed.parent.mkdir()
    changed.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ReelhouseError, match="supported by every reader") as refused:
        metrics(tmp_path)
    assert word in str(refused.value)


def test_the_page_lists_every_metric() -> None:
    page = (PROJECT / "docs/metrics.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `.*$", page, re.MULTILINE) == [
        f"| `{each.name}` | {each.description} | {each.unit} | `{each.table}` |"
        for each in metrics().values()
    ]


@pytest.mark.long
def test_the_semantic_layer_of_dbt_answers_alike(
    sample: Settings, tmp_path: Path
) -> None:
    mf = Path(sys.executable).with_name("mf")
    if not mf.exists():
        pytest.skip("the extra metricflow is not installed")
    # MetricFlow reads what dbt writes into the project's own folder, so make a copy.
    for path in PROJECT.iterdir():
        if path.name in {"models", "macros", "seeds", "snapshots", "tests"}:
            (tmp_path / path.name).symlink_to(path)
        elif path.name in {"dbt_project.yml", "profiles.yml"}:
            shutil.copy(path, tmp_path)
    shutil.copytree(sample.warehouse, tmp_path / "warehouse")
    variables = {
        **os.environ,
        "DBT_PROFILES_DIR": str(tmp_path),
        "REELHOUSE_WAREHOUSE": str(tmp_path / "warehouse"),
    }
    answers = tmp_path / "answers.csv"
    genres = tmp_path / "genres.csv"
    saved = yaml.safe_load((PROJECT / SAVED).read_text(encoding="utf-8"))
    for command in (
        [sys.executable, "-m", "dbt.cli.main", "parse", "--quiet"],
        [str(mf), "query", "--metrics", ",".join(metrics()), "--csv", str(answers)],
        [str(mf), "query", "--saved-query", "genres", "--csv", str(genres)],
        *(
            [str(mf), "query", "--saved-query", each["name"]]
            for each in saved["saved_queries"]
        ),
    ):
        done = subprocess.run(
            command, cwd=tmp_path, env=variables, capture_output=True, timeout=300
        )
        assert done.returncode == 0, done.stdout.decode()
    with answers.open(newline="", encoding="utf-8") as file:
        (answered,) = csv.DictReader(file)
    for name, value in answered.items():
        ((expected,),) = ask(sample, metrics()[name].question)
        assert float(value) == pytest.approx(float(expected), rel=1e-12)
    assert answered.keys() == metrics().keys()
    with genres.open(newline="", encoding="utf-8") as file:
        found = {row["genre"]: row for row in csv.DictReader(file)}
    expected_rows = ask(
        sample,
        "select genre, rating_count, average_rating, weighted_average_rating "
        "from mart_genre_ratings where rating_count > 0",
    )
    assert len(found) == len(expected_rows) > 10
    for genre, *values in expected_rows:
        shown = [float(value) for value in list(found[genre].values())[1:]]
        assert shown == pytest.approx([float(each) for each in values], rel=1e-12)
