"""The subject marts as one would write them in Polars: frames in memory, Parquet out.

The star's dimensions and what needs no ratings, movies' titles and links, is left to
SQL. It trusts its files, as the SQL written by hand does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import polars as pl
from polars import col

WHITE = "\t\n\r \u00a0"
NO_GENRES = "(no genres listed)"
WHOLE, TEXT = pl.Int64, pl.String
FILES: dict[str, dict[str, type[pl.DataType]]] = {
    "movies": {"movie_id": WHOLE, "title": TEXT, "genres": TEXT},
    "ratings": {
        "user_id": WHOLE,
        "movie_id": WHOLE,
        "rating": pl.Float64,
        "epoch": WHOLE,
    },
    "tags": {"user_id": WHOLE, "movie_id": WHOLE, "tag": TEXT, "epoch": WHOLE},
    "genome-tags": {"tag_id": WHOLE, "tag": TEXT},
    "genome-scores": {"movie_id": WHOLE, "tag_id": WHOLE, "relevance": pl.Float64},
}
TENTHS = col("rating").mul(10).cast(pl.Int64)
AVERAGE = col("tenths") / (10 * col("rating_count"))
LEVELS = (
    pl.when(col("engagement_percentile") >= 0.95)
    .then(pl.lit("Super-High"))
    .when(col("engagement_percentile") >= 0.66)
    .then(pl.lit("High"))
    .when(col("engagement_percentile") >= 0.33)
    .then(pl.lit("Medium"))
    .otherwise(pl.lit("Low"))
)

Frames = dict[str, pl.DataFrame]


def read(folder: Path) -> Frames:
    """The files that the marts are made of."""
    return {
        name: pl.read_csv(
            folder / f"{name}.csv",
            new_columns=list(types),
            schema_overrides=[*types.values()],
        )
        for name, types in FILES.items()
    }


def marts(files: Frames) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each mart by its name, with the rows that we publish."""
    movies = files["movies"].with_columns(col("title").str.strip_chars(WHITE))
    moment = (col("epoch") * 1_000_000).cast(pl.Datetime("us"))
    ratings = files["ratings"].select(
        "user_id",
        "movie_id",
        TENTHS.alias("tenths"),
        moment.alias("rated_at"),
        moment.dt.date().alias("rated_date"),
    )
    genres = (
        movies.select(
            "movie_id",
            pl.when(col("genres").is_null() | (col("genres") == ""))
            .then(pl.lit(NO_GENRES))
            .otherwise(col("genres"))
            .str.split("|")
            .alias("genre"),
        )
        .explode("genre")
        .with_columns(pl.len().over("movie_id").alias("genre_count"))
    )
    stars = ratings.group_by("movie_id", "tenths").agg(
        pl.len().cast(pl.Int64).alias("rating_count"),
        col("rated_at").min().alias("first_rated_at"),
        col("rated_at").max().alias("last_rated_at"),
    )
    rated = stars.group_by("movie_id").agg(
        col("rating_count").sum(),
        (col("rating_count") * col("tenths")).sum().alias("tenths"),
        (col("rating_count") * col("tenths") ** 2).sum().alias("squares"),
        col("first_rated_at").min(),
        col("last_rated_at").max(),
    )
    yield from _catalogue(movies, genres, stars, rated)
    yield from _audience(ratings, genres)
    yield from _content(files, movies, rated)
    yield from _recommendation(ratings, movies, rated)


def _deviation() -> pl.Expr:
    """From n, the sum and the sum of squares, in whole numbers as long as they are."""
    n, x, xx = (
        col(name).cast(pl.Int128) for name in ("rating_count", "tenths", "squares")
    )
    return (
        pl.when(col("rating_count") > 1)
        .then((n * xx - x * x).cast(pl.Float64) / (100 * n * (n - 1)).cast(pl.Float64))
        .sqrt()
    )


def _catalogue(
    movies: pl.DataFrame,
    genres: pl.DataFrame,
    stars: pl.DataFrame,
    rated: pl.DataFrame,
) -> Iterator[tuple[str, pl.DataFrame]]:
    totals = rated.select(col("rating_count", "tenths").sum())
    count, tenths = totals.row(0)
    performance = movies.join(rated, on="movie_id").select(
        "movie_id",
        "title",
        "rating_count",
        AVERAGE.alias("average_rating"),
        _deviation().alias("rating_stddev"),
        (
            (col("tenths") * count + 100 * tenths)
            / (10 * (col("rating_count") + 100) * count)
        ).alias("bayesian_rating"),
        (col("rating_count") >= 100).alias("has_enough_ratings"),
        "first_rated_at",
        "last_rated_at",
    )
    yield "mart_movie_performance", performance

    measured = pl.concat(
        performance.filter(col("rating_count") >= 20).with_columns(
            pl.lit(basis).alias("basis"), col(name).cast(pl.Float64).alias("measure")
        )
        for basis, name in (
            ("average", "average_rating"),
            ("bayesian", "bayesian_rating"),
            ("count", "rating_count"),
        )
    )
    by = ["measure", "average_rating", "rating_count", "title", "movie_id"]
    yield (
        "mart_top_movies_by_genre",
        measured.join(genres, on="movie_id")
        .sort(by, descending=[True, True, True, False, False])
        .with_columns(
            pl.int_range(1, pl.len() + 1).over("genre", "basis").alias("rank")
        )
        .filter(col("rank") <= 10)
        .select("genre", "basis", "rank", "movie_id", "title", "rating_count"),
    )

    parted = pl.concat(
        [
            stars.join(genres, on="movie_id").select("genre", "tenths", "rating_count"),
            stars.select(pl.lit("all").alias("genre"), "tenths", "rating_count"),
        ]
    )
    half_stars = pl.DataFrame({"tenths": range(5, 51, 5)})
    counted = parted.group_by("genre", "tenths").agg(col("rating_count").sum())
    whole = col("rating_count").sum().over("genre")
    yield (
        "mart_rating_distribution",
        counted.select("genre")
        .unique()
        .join(half_stars, how="cross")
        .join(counted, on=["genre", "tenths"], how="left")
        .with_columns(col("rating_count").fill_null(0))
        .sort("genre", "tenths")
        .select(
            "genre",
            (col("tenths") / 10).alias("rating"),
            "rating_count",
            (col("rating_count") / whole).alias("share"),
            (col("rating_count").cum_sum().over("genre") / whole).alias(
                "cumulative_share"
            ),
        ),
    )


def _audience(
    ratings: pl.DataFrame, genres: pl.DataFrame
) -> Iterator[tuple[str, pl.DataFrame]]:
    days = ratings.group_by("user_id", "rated_date").agg(
        pl.len().cast(pl.Int64).alias("rating_count"),
        col("tenths").sum(),
        col("rated_at").min().alias("first_rated_at"),
        col("rated_at").max().alias("last_rated_at"),
    )
    users = (
        days.group_by("user_id")
        .agg(
            col("rating_count", "tenths").sum(),
            pl.len().cast(pl.Int64).alias("active_days"),
            col("first_rated_at").min(),
            col("last_rated_at").max(),
        )
        .with_columns(
            (
                (col("rating_count").rank("min").cast(pl.Int64) - 1) / (pl.len() - 1)
            ).alias("engagement_percentile")
        )
        .with_columns(LEVELS.alias("engagement_level"))
    )
    user_genres = (
        ratings.lazy()
        .join(genres.lazy(), on="movie_id")
        .group_by("user_id", "genre")
        .agg(pl.len().cast(pl.Int64).alias("rating_count"), col("tenths").sum())
        .collect()
    )
    top = (
        user_genres.sort(["rating_count", "genre"], descending=[True, False])
        .group_by("user_id")
        .agg(
            col("genre").first().alias("top_genre"),
            col("rating_count").first().alias("top_genre_ratings"),
        )
    )
    yield (
        "mart_user_engagement",
        users.join(top, on="user_id", how="left").select(
            "user_id",
            "rating_count",
            AVERAGE.alias("average_rating"),
            "active_days",
            "first_rated_at",
            "last_rated_at",
            "engagement_percentile",
            "engagement_level",
            "top_genre",
            col("top_genre_ratings").fill_null(0),
        ),
    )
    yield (
        "mart_genre_engagement",
        user_genres.join(users.select("user_id", "engagement_level"), on="user_id")
        .group_by("engagement_level", "genre")
        .agg(
            pl.len().cast(pl.Int64).alias("users"),
            col("rating_count").sum(),
            (col("tenths").sum() / (10 * col("rating_count").sum())).alias(
                "average_rating"
            ),
        ),
    )

    month = col("rated_date").dt.truncate("1mo")
    months = days.group_by("user_id", month.alias("month")).agg(
        col("rating_count", "tenths").sum()
    )
    first, last = months.select(
        col("month").min().alias("first"), col("month").max().alias("last")
    ).row(0)
    listed = pl.DataFrame({"month": pl.date_range(first, last, "1mo", eager=True)})
    firsts = months.group_by("user_id").agg(col("month").min().alias("cohort_month"))
    activity = months.group_by("month").agg(
        pl.len().cast(pl.Int64).alias("active_users"),
        col("rating_count", "tenths").sum(),
    )
    arrivals = firsts.group_by(col("cohort_month").alias("month")).agg(
        pl.len().cast(pl.Int64).alias("new_users")
    )
    seen = (
        ratings.lazy()
        .group_by(month.alias("month"))
        .agg(col("movie_id").n_unique().cast(pl.Int64).alias("movies_rated"))
        .collect()
    )
    counts = ["rating_count", "active_users", "new_users", "movies_rated"]
    yield (
        "mart_monthly_trends",
        listed.join(activity, on="month", how="left")
        .join(arrivals, on="month", how="left")
        .join(seen, on="month", how="left")
        .select("month", AVERAGE.alias("average_rating"), col(counts).fill_null(0)),
    )
    active = (
        months.join(firsts, on="user_id")
        .group_by("cohort_month", "month")
        .agg(pl.len().cast(pl.Int64).alias("active_users"))
    )
    since = (col("month").dt.year() - col("cohort_month").dt.year()).cast(pl.Int64) * 12
    yield (
        "mart_user_cohorts",
        arrivals.rename({"month": "cohort_month", "new_users": "cohort_users"})
        .join(listed, how="cross")
        .filter(col("cohort_month") <= col("month"))
        .join(active, on=["cohort_month", "month"], how="left")
        .select(
            "cohort_month",
            (since + col("month").dt.month() - col("cohort_month").dt.month()).alias(
                "months_since"
            ),
            "cohort_users",
            col("active_users").fill_null(0),
            (col("active_users").fill_null(0) / col("cohort_users")).alias("retention"),
        ),
    )


def _content(
    files: Frames, movies: pl.DataFrame, rated: pl.DataFrame
) -> Iterator[tuple[str, pl.DataFrame]]:
    # Relevance has five decimals; as whole numbers they add up exactly.
    scores = files["genome-scores"].select(
        "movie_id",
        "tag_id",
        (col("relevance") * 100_000 + 0.5).floor().cast(pl.Int64).alias("relevance"),
    )
    tags = files["genome-tags"]
    summed = scores.group_by("tag_id").agg(
        (col("relevance").sum() / 100_000 / pl.len()).alias("average_relevance"),
        pl.len().cast(pl.Int64).alias("movies_scored"),
        (col("relevance") >= 50_000).sum().cast(pl.Int64).alias("movies_relevant"),
    )
    counts = ["movies_scored", "movies_relevant"]
    yield (
        "mart_tag_relevance",
        tags.join(summed, on="tag_id", how="left").with_columns(
            col(counts).fill_null(0)
        ),
    )
    top = (
        scores.join(tags, on="tag_id")
        .sort(["relevance", "tag", "tag_id"], descending=[True, False, False])
        .group_by("movie_id", maintain_order=True)
        .head(10)
    )
    yield (
        "mart_movie_tag_profile",
        top.group_by("movie_id", maintain_order=True)
        .agg(
            col("tag").str.join(", ").alias("top_tags"),
            col("tag").first().alias("top_tag"),
            (col("relevance").first() / 100_000).alias("top_relevance"),
        )
        .join(movies.select("movie_id", "title"), on="movie_id"),
    )
    yield (
        "mart_tag_performance",
        top.join(rated.filter(col("rating_count") >= 20), on="movie_id")
        .group_by("tag_id", "tag")
        .agg(
            pl.len().cast(pl.Int64).alias("movies_with_tag"),
            col("rating_count").sum().alias("total_ratings"),
            (col("tenths").sum() / (10 * col("rating_count").sum())).alias(
                "weighted_average_rating"
            ),
        )
        .filter(col("movies_with_tag") >= 50),
    )


def _recommendation(
    ratings: pl.DataFrame, movies: pl.DataFrame, rated: pl.DataFrame
) -> Iterator[tuple[str, pl.DataFrame]]:
    last, year = ratings["rated_date"].max(), timedelta(days=365)
    assert isinstance(last, date)
    is_recent = col("rated_date") > last - year
    counted = (
        ratings.lazy()
        .filter(col("rated_date") > last - 2 * year)
        .group_by("movie_id")
        .agg(
            is_recent.sum().cast(pl.Int64).alias("recent"),
            (~is_recent).sum().cast(pl.Int64).alias("previous"),
            col("tenths").filter(is_recent).sum().alias("recent_tenths"),
            col("tenths").filter(~is_recent).sum().alias("previous_tenths"),
        )
        .collect()
    )
    recent, previous = (
        pl.when(col(name) > 0).then(col(f"{name}_tenths") / (10 * col(name)))
        for name in ("recent", "previous")
    )
    momentum = (
        pl.when(col("first_rated_at").dt.date() > last - year)
        .then(pl.lit("new"))
        .when((col("recent") == 0) & (col("previous") == 0))
        .then(pl.lit("steady"))
        .when(col("recent") * 4 >= col("previous") * 5)
        .then(pl.lit("rising"))
        .when(col("recent") * 5 <= col("previous") * 4)
        .then(pl.lit("fading"))
        .otherwise(pl.lit("steady"))
    )
    yield (
        "mart_movie_momentum",
        movies.join(rated, on="movie_id")
        .join(counted, on="movie_id", how="left")
        .with_columns(col("recent", "previous").fill_null(0))
        .select(
            "movie_id",
            "title",
            col("recent").alias("recent_rating_count"),
            col("previous").alias("previous_rating_count"),
            recent.alias("recent_average_rating"),
            previous.alias("previous_average_rating"),
            momentum.alias("momentum"),
        ),
    )

    liked = ratings.filter(col("tenths") >= 40)
    most = (
        liked.join(movies, on="movie_id", how="semi")
        .group_by("movie_id")
        .len()
        .sort(["len", "movie_id"], descending=[True, False])
        .head(2000)
    )
    likes = (
        liked.join(most, on="movie_id", how="semi")
        .sort(["rated_at", "movie_id"], descending=[True, False])
        .group_by("user_id", maintain_order=True)
        .head(100)
        .select("user_id", "movie_id")
    )
    totals = likes.group_by("movie_id").agg(pl.len().cast(pl.Int64).alias("likes"))
    pairs = (
        likes.lazy()
        .join(likes.lazy(), on="user_id", suffix="_of_neighbour")
        .rename({"movie_id_of_neighbour": "neighbour_movie_id"})
        .filter(col("movie_id") != col("neighbour_movie_id"))
        .group_by("movie_id", "neighbour_movie_id")
        .agg(pl.len().cast(pl.Int64).alias("common_users"))
        .collect(engine="streaming")
    )
    common = col("common_users")
    product = (col("likes") * col("likes_right")).cast(pl.Float64)
    yield (
        "mart_movie_neighbours",
        pairs.join(totals, on="movie_id")
        .join(
            totals.rename({"likes": "likes_right"}),
            left_on="neighbour_movie_id",
            right_on="movie_id",
        )
        .with_columns(
            ((common * common) / (product.sqrt() * (common + 20))).alias("similarity")
        )
        .sort(
            ["similarity", "common_users", "neighbour_movie_id"],
            descending=[True, True, False],
        )
        .with_columns(pl.int_range(1, pl.len() + 1).over("movie_id").alias("rank"))
        .filter(col("rank") <= 10)
        .select("movie_id", "neighbour_movie_id", "rank", "common_users", "similarity"),
    )
