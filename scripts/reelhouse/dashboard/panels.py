"""Panels: what a page shows of its answers, in words, figures and charts.

The app lays them out for a reader who filters, the report one below the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reelhouse.dashboard import charts
from reelhouse.dashboard.charts import RATINGS, STARS, Chart
from reelhouse.dashboard.filters import Filters
from reelhouse.dashboard.published import Reading
from reelhouse.dashboard.questions import COHORT_MONTHS, LISTED_MOVIES
from reelhouse.serving.metrics import metrics

LEVELS = ["Low", "Medium", "High", "Super-High"]
MOMENTA = ["new", "rising", "steady", "falling", "dormant"]
NO_MOVIE = "No movie fits these filters."
ALL_MOVIES = "Of all movies: no filter acts here."
MOVIE_TIPS = [
    ("title", "title", ""),
    ("average_rating", STARS, ".3f"),
    ("rating_count", RATINGS, ","),
    ("bayesian_rating", "Bayesian rating (stars)", ".3f"),
]


@dataclass(frozen=True)
class Figure:
    """One number with its name, and a line that says more."""

    name: str
    value: str
    more: str = ""


@dataclass(frozen=True)
class Panel:
    """A heading, a line on how to read it, and a chart, or why there is none.

    None of the texts holds data.
    """

    title: str
    says: str
    chart: Chart | None
    empty: str = NO_MOVIE


def _panel(
    title: str,
    says: str,
    frame: pd.DataFrame,
    draw: Callable[[pd.DataFrame], Chart],
    empty: str = NO_MOVIE,
) -> Panel:
    return Panel(title, says, None if frame.empty else draw(frame), empty)


def measured(reading: Reading, question: str, name: str, more: str = "") -> Figure:
    """A metric as a figure, named and written as its definition says."""
    metric = metrics()[name]
    value = reading[question].iloc[0][name]
    text = metric.text(None if pd.isna(value) else float(value))
    if metric.unit == "stars" and not pd.isna(value):
        text += " ★"
    return Figure(metric.label, text, more)


def whole(value: Any) -> str:
    """A count with thousands parted; a dash where there is none."""
    return "–" if pd.isna(value) else f"{int(value):,}"


def day(moment: Any) -> str:
    return "–" if pd.isna(moment) else f"{moment.day} {moment:%b %Y}"


def minute(moment: Any) -> str:
    return "–" if pd.isna(moment) else f"{day(moment)}, {moment:%H:%M} UTC"


def overview_figures(reading: Reading) -> list[Figure]:
    movies = int(reading["movies"].iloc[0]["movies"])
    rated = reading["totals"].iloc[0]["rated_movies"]
    months = reading["months"]
    active = Figure(metrics()["active_users"].label, "–")
    if not months.empty:
        last = months.iloc[-1]
        active = Figure(
            active.name,
            whole(last["active_users"]),
            f"in {last['month']:%B %Y}, {whole(last['new_users'])} of them new",
        )
    return [
        measured(reading, "totals", "ratings", _per_rater(reading)),
        measured(reading, "totals", "raters"),
        measured(reading, "totals", "average_rating"),
        Figure(metrics()["rated_movies"].label, whole(rated), f"of {movies:,} movies"),
        active,
        measured(reading, "tags", "tags"),
    ]


def _per_rater(reading: Reading) -> str:
    each = measured(reading, "totals", "ratings_per_rater")
    return "" if each.value == "–" else f"{each.value} per rater"


def overview(reading: Reading, filters: Filters) -> dict[str, Panel]:  # noqa: ARG001
    months = _rated(reading["months"])
    return {
        "ratings": _panel(
            "Ratings by month",
            "How many ratings were given in each month.",
            months,
            lambda frame: charts.by_month(frame, "rating_count", "ratings a month"),
            "No rating fits these filters.",
        ),
        "average": _panel(
            "Average rating by month",
            "The mean of each month's ratings.",
            months,
            lambda frame: charts.by_month(
                frame, "average_rating", STARS, is_count=False
            ),
            "No rating fits these filters.",
        ),
        "new": _panel(
            "New and rising",
            "Movies first rated in the last 365 days of the data, or rated far more "
            "than in the year before, by their ratings in those days.",
            reading["new_movies"],
            lambda frame: charts.ranked(
                frame,
                "title",
                "recent_rating_count",
                "ratings in the last 365 days",
                [
                    ("title", "title", ""),
                    ("momentum", "momentum", ""),
                    ("recent_rating_count", "ratings in the last 365 days", ","),
                    ("previous_rating_count", "in the 365 days before", ","),
                    ("recent_average_rating", STARS, ".2f"),
                ],
                is_count=True,
            ),
            "No movie is new or rising under these filters.",
        ),
    }


def _rated(times: pd.DataFrame, counted: str = "rating_count") -> pd.DataFrame:
    """The months or years from the first with a count to the last, gaps included."""
    there = times[times[counted] > 0]
    return there if there.empty else times.loc[there.index[0] : there.index[-1]]


def catalogue(reading: Reading, filters: Filters) -> dict[str, Panel]:
    titles = reading["titles"]
    mean = reading["all_ratings"].iloc[0]["average_rating"]
    enough = (
        f"Movies with {filters.min_ratings:,} ratings or more"
        if filters.min_ratings
        else "Movies with enough ratings to judge by"
    )
    some = f" The {LISTED_MOVIES:,} most rated." if len(titles) == LISTED_MOVIES else ""
    return {
        "best": _panel(
            "Title against average rating",
            f"{enough}, the best first.",
            reading["best"],
            lambda frame: charts.ranked(
                frame, "title", "average_rating", STARS, MOVIE_TIPS
            ),
            "No movie with enough ratings fits these filters: set a minimum of "
            "ratings of your own.",
        ),
        "most_rated": _panel(
            "Title against number of ratings",
            "The movies with the most ratings.",
            titles.head(15),
            lambda frame: charts.ranked(
                frame, "title", "rating_count", RATINGS, MOVIE_TIPS, is_count=True
            ),
        ),
        "quality": _panel(
            "Quality and popularity",
            "One dot for each movie: to the right, rated more often; higher up, rated "
            f"better.{some}{_mean_line(mean)}",
            titles,
            lambda frame: charts.quality_and_popularity(
                frame, None if pd.isna(mean) else float(mean)
            ),
        ),
        "genres": _panel(
            "Ratings of genres",
            "A movie counts once in each of its genres, or by its share in them, so "
            "that one of many genres weighs no more than one of a single genre.",
            reading["genre_ratings"].sort_values(
                ["weighted_average_rating", "genre"], ascending=[False, True]
            ),
            lambda frame: charts.paired(
                frame,
                "genre",
                {
                    "weighted_average_rating": "by share",
                    "average_rating": "once in each genre",
                },
                STARS,
                [("rating_count", RATINGS, ","), ("rated_movies", "movies", ",")],
            ),
            "No rated movie fits these filters.",
        ),
        "genre_sizes": _panel(
            "Ratings in each genre",
            "A rating counts once in each genre of its movie.",
            reading["genre_ratings"].sort_values(
                ["rating_count", "genre"], ascending=[False, True]
            ),
            lambda frame: charts.ranked(
                frame,
                "genre",
                "rating_count",
                RATINGS,
                [
                    ("genre", "genre", ""),
                    ("rating_count", RATINGS, ","),
                    ("rated_movies", "movies", ","),
                ],
                is_count=True,
            ),
            "No rated movie fits these filters.",
        ),
        "released": _panel(
            "Movies by release year",
            "How many movies of each year are in the catalogue.",
            _rated(reading["releases"], "movies_released"),
            lambda frame: charts.columns(
                frame, "release_year", "movies_released", "release year", "movies"
            ),
        ),
        "release_ratings": _panel(
            "Average rating by release year",
            "Of the movies of each year with ten ratings or more together; larger "
            "dots have more ratings.",
            _with_ratings(reading["releases"], 10),
            lambda frame: charts.averages_by_year(
                frame, "release_year", "release year", 10
            ),
            "No release year has ten ratings under these filters.",
        ),
        "distribution": _panel(
            "Distribution of ratings",
            "How many ratings were given at each half star.",
            _with_ratings(reading["distribution"], 1, reading["distribution"]),
            lambda frame: charts.columns(
                frame, "rating", "rating_count", "rating (stars)", RATINGS
            ),
            "No rating fits these filters.",
        ),
    }


def _mean_line(mean: Any) -> str:
    return (
        ""
        if pd.isna(mean)
        else f" The dashed line is the mean of all ratings, {mean:.2f}."
    )


def _with_ratings(
    frame: pd.DataFrame, least: int, whole_of: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The rows with so many ratings, or the whole where any has."""
    kept = frame[frame["rating_count"].fillna(0) >= least]
    return kept if whole_of is None or kept.empty else whole_of


def movie(reading: Reading) -> dict[str, Panel]:
    """One movie; its answers are there once one was picked."""
    return {
        "years": _panel(
            "Ratings by year",
            "How often the movie was rated in each year.",
            _rated(reading["movie_years"]),
            lambda frame: charts.columns(
                frame, "year", "rating_count", "year of the rating", RATINGS
            ),
            "Nobody has rated this movie.",
        ),
        "year_averages": _panel(
            "Average rating by year",
            "Larger dots stand for more ratings.",
            _rated(reading["movie_years"]),
            lambda frame: charts.averages_by_year(frame, "year", "year of the rating"),
            "Nobody has rated this movie.",
        ),
        "user_tags": _panel(
            "Tags by users",
            "How many users put each tag on the movie.",
            reading["movie_user_tags"],
            lambda frame: charts.ranked(
                frame,
                "tag",
                "users",
                "users",
                [("tag", "tag", ""), ("users", "users", ",")],
                is_count=True,
            ),
            "No user has put a tag on this movie.",
        ),
        "profile": profile(reading),
        "neighbours": neighbours(reading),
    }


def profile(reading: Reading) -> Panel:
    return _panel(
        "Tag profile",
        "The ten tags of the tag genome that fit the movie best, from 0 to 1.",
        reading["profile"],
        lambda frame: charts.ranked(
            frame,
            "tag",
            "relevance",
            "relevance (0 to 1)",
            [("tag", "tag", ""), ("relevance", "relevance", ".3f")],
        ),
        "The tag genome does not know this movie.",
    )


def neighbours(reading: Reading) -> Panel:
    return _panel(
        "People who liked this also liked",
        "Movies that the same users gave four stars or more; the further to the "
        "right, the more alike are the circles of those who liked them.",
        reading["neighbours"],
        lambda frame: charts.ranked(
            frame,
            "title",
            "similarity",
            "similarity (0 to 1)",
            [
                ("title", "title", ""),
                ("similarity", "similarity", ".3f"),
                ("common_users", "users who liked both", ","),
            ],
        ),
        "Too few users liked this movie to say what else they liked.",
    )


def audience_figures(reading: Reading) -> list[Figure]:
    return [
        measured(reading, "activity", "active_users", "in the last month of the data"),
        measured(reading, "activity", "new_users", "since the first month"),
        measured(
            reading, "retention", "retention", "of users, in a month after their first"
        ),
    ]


def audience(reading: Reading, filters: Filters) -> dict[str, Panel]:
    levels = reading["levels"].copy()
    levels["order"] = [LEVELS.index(each) for each in levels["engagement_level"]]
    levels = levels.sort_values("order")
    months = _rated(reading["months"])
    tips = [
        ("engagement_level", "level", ""),
        ("users", "users", ","),
        ("rating_count", RATINGS, ","),
        ("least_ratings", "fewest ratings of a user", ","),
        ("most_ratings", "most ratings of a user", ","),
    ]
    nobody = "Nobody has rated anything."
    return {
        "levels": _panel(
            "Users by engagement",
            "Users, by how many others they outdo in number of ratings: Super-High is "
            f"the busiest twentieth. {ALL_MOVIES}",
            levels,
            lambda frame: charts.ranked(
                frame, "engagement_level", "users", "users", tips, is_count=True
            ),
            nobody,
        ),
        "level_ratings": _panel(
            "Ratings by engagement",
            f"How many of all ratings come from each level. {ALL_MOVIES}",
            levels,
            lambda frame: charts.ranked(
                frame, "engagement_level", "rating_count", RATINGS, tips, is_count=True
            ),
            nobody,
        ),
        "months": _panel(
            "Active and new users by month",
            "Users who rated in each month, and those who did for the first time"
            + (" among the movies that the filters mean." if filters.are_set else "."),
            months,
            lambda frame: charts.two_by_month(
                frame,
                {"active_users": "active users", "new_users": "new users"},
                "users a month",
            ),
            "No rating fits these filters.",
        ),
        "most_active": _panel(
            "Most active users",
            f"The users with the most ratings. {ALL_MOVIES}",
            reading["most_active"]
            .head(15)
            .assign(user=lambda frame: "user " + frame["user_id"].astype(str)),
            lambda frame: charts.ranked(
                frame,
                "user",
                "rating_count",
                RATINGS,
                [
                    ("user", "user", ""),
                    ("rating_count", RATINGS, ","),
                    ("average_rating", STARS, ".2f"),
                    ("active_days", "days with a rating", ","),
                    ("top_genre", "most rated genre", ""),
                ],
                is_count=True,
            ),
            nobody,
        ),
        "cohorts": _panel(
            "Who comes back",
            f"Of the users who began in a year, the share who rate in each of the "
            f"{COHORT_MONTHS} months after their first. {ALL_MOVIES}",
            _followed(reading["cohorts"]),
            charts.cohorts,
            "No month follows a first rating yet.",
        ),
        "engaged_genres": _panel(
            "Genres of the highly engaged",
            "Average ratings by users of the levels High and Super-High; a rating "
            f"counts once in each genre of its movie. {ALL_MOVIES}",
            _engaged(reading["engaged_genres"]),
            lambda frame: charts.paired(
                frame,
                "genre",
                {"High": "High", "Super-High": "Super-High"},
                STARS,
                [("rating_count", RATINGS, ",")],
            ),
            nobody,
        ),
        "engaged_genre_sizes": _panel(
            "What the highly engaged rate",
            f"Ratings by users of both levels in each genre. {ALL_MOVIES}",
            _engaged(reading["engaged_genres"]),
            lambda frame: charts.ranked(
                frame,
                "genre",
                "rating_count",
                RATINGS,
                [("genre", "genre", ""), ("rating_count", RATINGS, ",")],
                is_count=True,
            ),
            nobody,
        ),
    }


def _followed(cohorts: pd.DataFrame) -> pd.DataFrame:
    return cohorts[cohorts["months_since"] > 0]


def _engaged(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each genre, with the averages of each level, the most rated first."""
    if frame.empty:
        return frame
    averages = frame.pivot(
        index="genre", columns="engagement_level", values="average_rating"
    ).reindex(columns=["High", "Super-High"])
    counts = frame.groupby("genre")["rating_count"].sum()
    return (
        averages.join(counts)
        .reset_index()
        .sort_values(["rating_count", "genre"], ascending=[False, True])
    )


def content(reading: Reading, filters: Filters) -> dict[str, Panel]:  # noqa: ARG001
    no_genome = (
        "There are no genome scores for these movies: the source has none, or the "
        "filters leave none."
    )
    return {
        "relevance": _panel(
            "Tags by relevance",
            "Tags of the tag genome, by how well they fit the movies on average, from "
            "0 to 1.",
            reading["relevance"].head(20),
            lambda frame: charts.ranked(
                frame,
                "tag",
                "average_relevance",
                "average relevance (0 to 1)",
                [
                    ("tag", "tag", ""),
                    ("average_relevance", "average relevance", ".3f"),
                    ("movies_scored", "movies", ","),
                    ("movies_relevant", "of them relevant (0.5 or more)", ","),
                ],
            ),
            no_genome,
        ),
        "user_tags": _panel(
            "What users write",
            "The tags that users put on movies most often; spellings that differ in "
            "case and spaces are one tag.",
            reading["user_tags"].head(20),
            lambda frame: charts.ranked(
                frame,
                "tag",
                "applications",
                "times applied",
                [
                    ("tag", "tag", ""),
                    ("applications", "times applied", ","),
                    ("movies", "movies", ","),
                    ("users", "users", ","),
                ],
                is_count=True,
            ),
            "No user has put a tag on a movie that fits these filters.",
        ),
        "performance": _panel(
            "Tags and ratings",
            "One dot for each tag that is among the top tags of many movies: how many, "
            f"and how well these are rated. {ALL_MOVIES}",
            reading["tag_performance"],
            lambda frame: charts.points(
                frame,
                ("movies_with_tag", "movies with the tag among their top tags", ","),
                ("weighted_average_rating", STARS, ".1f"),
                [
                    ("tag", "tag", ""),
                    ("movies_with_tag", "movies", ","),
                    ("total_ratings", RATINGS, ","),
                    ("weighted_average_rating", STARS, ".3f"),
                ],
            ),
            "No tag is among the top tags of enough movies, or the source has no "
            "genome scores.",
        ),
    }


def recommendation(
    reading: Reading,
    filters: Filters,  # noqa: ARG001
) -> dict[str, Panel]:
    momentum = reading["momentum"]
    momentum = momentum.assign(
        order=[MOMENTA.index(each) for each in momentum["momentum"]]
    ).sort_values("order")
    return {
        "categories": _panel(
            "Movies by category",
            "Categories by number of ratings and average rating: evergreens are rated "
            "often and well, rising stars well by fewer, fading ones often but not so "
            "well.",
            reading["categories"].assign(
                name=lambda frame: frame["category"].str.replace("_", " ")
            ),
            lambda frame: charts.ranked(
                frame,
                "name",
                "movies",
                "movies",
                [
                    ("name", "category", ""),
                    ("movies", "movies", ","),
                    ("rating_count", RATINGS, ","),
                ],
                is_count=True,
            ),
        ),
        "momentum": _panel(
            "Movies by momentum",
            "The last 365 days of the data against the 365 before: new movies, and "
            "those rated more, about as much, or less than before.",
            momentum,
            lambda frame: charts.ranked(
                frame,
                "momentum",
                "movies",
                "movies",
                [("momentum", "momentum", ""), ("movies", "movies", ",")],
                is_count=True,
            ),
        ),
    }


def health_figures(reading: Reading) -> list[Figure]:
    rejected = reading["rejects"]["rejected_lines"].sum()
    unexplained = reading["reconciliation"]
    unexplained = unexplained[unexplained["reason"] == "unexplained"]["row_count"].sum()
    build = reading["build"].iloc[0]
    loads = reading["loads"]
    loaded_at = pd.NaT if loads.empty else loads["loaded_at"].max()
    return [
        Figure(
            "Last publish",
            day(reading.published_at),
            f"{reading.published_at:%H:%M} UTC",
        ),
        Figure("Last change", day(loaded_at), f"load {reading.load_id}"),
        Figure("Newest rating", day(reading["freshness"].iloc[0]["last_rated_at"])),
        Figure(
            "Tests passed", whole(build["tests"]), f"on {whole(build['models'])} models"
        ),
        Figure("Records rejected", whole(rejected), "kept aside, with why"),
        Figure("Records unexplained", whole(unexplained), "of any file, in any layer"),
    ]


def health(reading: Reading, filters: Filters) -> dict[str, Panel]:  # noqa: ARG001
    return {
        "rejects": _panel(
            "Rejected records",
            "Records that were kept aside, by the reason.",
            reading["rejects"]
            .groupby("reason", as_index=False)["rejected_lines"]
            .sum()
            .sort_values(["rejected_lines", "reason"], ascending=[False, True])
            .head(15),
            lambda frame: charts.ranked(
                frame,
                "reason",
                "rejected_lines",
                "records",
                [("reason", "reason", ""), ("rejected_lines", "records", ",")],
                is_count=True,
            ),
            "No record was rejected.",
        ),
    }


PANELS: Mapping[str, Callable[[Reading, Filters], dict[str, Panel]]] = {
    "overview": overview,
    "catalogue": catalogue,
    "audience": audience,
    "content": content,
    "recommendation": recommendation,
    "health": health,
}
FIGURES: Mapping[str, Callable[[Reading], list[Figure]]] = {
    "overview": overview_figures,
    "audience": audience_figures,
    "health": health_figures,
}
TITLES: Mapping[str, str] = {
    "overview": "Overview",
    "catalogue": "Catalogue",
    "audience": "Audience",
    "content": "Content",
    "recommendation": "Recommendation",
    "health": "Data health",
}
