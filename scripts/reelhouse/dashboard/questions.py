"""Questions: what each page asks of the published tables, in SQL of both engines.

Each function gives a page's questions by name. Without filters the marts answer; with
them the facts do, for the movies that are meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reelhouse.dashboard.filters import Filters, literal
from reelhouse.serving.metrics import metrics

TABLE = re.compile(r"\bserving\.(\w+)")
# No more titles, tags or users than these are sent to a browser.
LISTED_MOVIES = 2_000
LISTED = 500
# So many months after their first one are cohorts followed.
COHORT_MONTHS = 24


@dataclass(frozen=True)
class Choice:
    """What a page lets a reader pick besides the filters."""

    movie_id: int | None = None
    text: str = ""


# Figures of the ratings that are meant, by their names in models/_metrics.yml.
TOTALS = ("ratings", "raters", "rated_movies", "ratings_per_rater", "average_rating")

Questions = Callable[[Filters, Choice], dict[str, str]]


def frame(filters: Filters, choice: Choice) -> dict[str, str]:  # noqa: ARG001
    """What the filters offer, on every page."""
    return {
        "genres": "select genre from serving.dim_genres order by genre",
        "years": "select min(release_year) as first_year, "
        "max(release_year) as last_year from serving.dim_movies "
        "where not is_deleted and not is_inferred",
    }


def measured(names: Sequence[str], condition: str = "true") -> str:
    """One row of metrics, all of one table, whose rows keep a condition."""
    (table,) = {metrics()[name].table for name in names}
    columns = ", ".join(f"{metrics()[name].sql} as {name}" for name in names)
    return f"select {columns} from serving.{table} where {condition}"


def overview(filters: Filters, choice: Choice) -> dict[str, str]:  # noqa: ARG001
    meant = filters.condition()
    return {
        "totals": measured(TOTALS, meant),
        "tags": measured(("tags",), meant),
        "movies": f"""
            select count(*) as movies
            from serving.dim_movies
            where not is_deleted and not is_inferred and {meant}
        """,
        "months": _months(filters),
        "new_movies": f"""
            select
                momentum.movie_id,
                momentum.title,
                momentum.momentum,
                momentum.recent_rating_count,
                momentum.previous_rating_count,
                momentum.recent_average_rating
            from serving.mart_movie_momentum as momentum
            where momentum.momentum in ('new', 'rising')
                and {filters.condition("momentum.movie_id")}
            order by
                momentum.recent_rating_count desc, momentum.title, momentum.movie_id
            limit 15
        """,
        "loads": """
            select
                loads.load_id,
                max(loads.loaded_at) as loaded_at,
                count(*) as files,
                sum(loads.rows_new) as rows_new,
                sum(loads.rows_removed) as rows_removed,
                sum(loads.rows_rejected) as rows_rejected
            from serving.health_loads as loads
            group by loads.load_id
            order by load_id desc
            limit 1
        """,
    }


def _months(filters: Filters) -> str:
    """Ratings of each month, empty ones included."""
    if not filters.are_set:
        return """
            select
                month, rating_count, average_rating, active_users, new_users
            from serving.mart_monthly_trends
            order by month
        """
    return f"""
        with first_ratings as (
            select user_id, min(rated_date) as first_date
            from serving.fct_ratings
            where {filters.condition()}
            group by user_id
        ),
        new_users as (
            select dates.month_start, count(*) as new_users
            from first_ratings
            inner join serving.dim_dates as dates
                on first_ratings.first_date = dates.date_day
            group by dates.month_start
        ),
        months as (
            select
                dates.month_start,
                count(ratings.rating) as rating_count,
                sum(ratings.rating) as rating_sum,
                count(distinct ratings.user_id) as active_users
            from serving.dim_dates as dates
            left join (
                select rated_date, rating, user_id
                from serving.fct_ratings
                where {filters.condition()}
            ) as ratings
                on dates.date_day = ratings.rated_date
            group by dates.month_start
        )
        select
            months.month_start as month,
            months.rating_count,
            cast(months.rating_sum as double)
                / nullif(months.rating_count, 0) as average_rating,
            months.active_users,
            coalesce(new_users.new_users, 0) as new_users
        from months
        left join new_users on months.month_start = new_users.month_start
        order by months.month_start
    """


def catalogue(filters: Filters, choice: Choice) -> dict[str, str]:
    meant = filters.condition("performance.movie_id")
    columns = """
        performance.movie_id, performance.title, performance.release_year,
        movies.genres, performance.rating_count, performance.average_rating,
        performance.bayesian_rating, performance.rating_stddev
    """
    source = """
        from serving.mart_movie_performance as performance
        inner join serving.dim_movies as movies
            on performance.movie_id = movies.movie_id
    """
    # A limit that the reader sets takes the place of the usual one.
    is_rated_enough = "true" if filters.min_ratings else "has_enough_ratings"
    return {
        "titles": f"""
            select {columns} {source}
            where {meant}
            order by performance.rating_count desc, performance.movie_id
            limit {LISTED_MOVIES}
        """,
        "best": f"""
            select {columns} {source}
            where performance.{is_rated_enough} and {meant}
            order by
                performance.average_rating desc,
                performance.rating_count desc,
                performance.movie_id
            limit 15
        """.replace("performance.true", "true"),
        "all_ratings": measured(("ratings", "average_rating")),
        "genre_ratings": _genre_ratings(filters),
        "releases": _releases(filters),
        "distribution": _distribution(filters),
        **movie(filters, choice),
    }


def _genre_ratings(filters: Filters) -> str:
    shown = ", ".join(literal(genre) for genre in filters.genres)
    of_genres = f"genre in ({shown})" if shown else "true"
    others = filters.without_genres()
    if not others.are_set:
        return f"""
            select
                genre, rated_movies, rating_count, average_rating,
                weighted_average_rating
            from serving.mart_genre_ratings
            where rating_count > 0 and {of_genres}
            order by genre
        """
    return f"""
        with summed as (
            select movie_id, count(*) as rating_count, sum(rating) as rating_sum
            from serving.fct_ratings
            where {others.condition()}
            group by movie_id
        )
        select
            links.genre,
            count(*) as rated_movies,
            sum(summed.rating_count) as rating_count,
            cast(sum(summed.rating_sum) as double)
                / sum(summed.rating_count) as average_rating,
            sum(cast(summed.rating_sum as double) * links.genre_weight)
                / sum(summed.rating_count * links.genre_weight)
                as weighted_average_rating
        from summed
        inner join serving.bridge_movies_genres as links
            on summed.movie_id = links.movie_id
        where {of_genres}
        group by links.genre
        order by links.genre
    """


def _releases(filters: Filters) -> str:
    if not filters.are_set:
        return """
            select release_year, movies_released, rating_count, average_rating
            from serving.mart_release_trends
            order by release_year
        """
    return f"""
        with summed as (
            select movie_id, count(*) as rating_count, sum(rating) as rating_sum
            from serving.fct_ratings
            where {filters.condition()}
            group by movie_id
        )
        select
            years.release_year,
            count(movies.movie_id) as movies_released,
            coalesce(sum(summed.rating_count), 0) as rating_count,
            cast(sum(summed.rating_sum) as double)
                / nullif(sum(summed.rating_count), 0) as average_rating
        from serving.mart_release_trends as years
        left join (
            select movie_id, release_year
            from serving.dim_movies
            where not is_deleted and not is_inferred and {filters.condition()}
        ) as movies
            on years.release_year = movies.release_year
        left join summed on movies.movie_id = summed.movie_id
        group by years.release_year
        order by years.release_year
    """


def _distribution(filters: Filters) -> str:
    if not filters.are_set:
        return """
            select rating, rating_count
            from serving.mart_rating_distribution
            where genre = 'all'
            order by rating
        """
    return f"""
        select steps.rating, count(ratings.rating) as rating_count
        from serving.mart_rating_distribution as steps
        left join (
            select rating from serving.fct_ratings where {filters.condition()}
        ) as ratings
            on steps.rating = ratings.rating
        where steps.genre = 'all'
        group by steps.rating
        order by steps.rating
    """


def offered(filters: Filters, choice: Choice) -> dict[str, str]:
    """The movies that a reader can pick: the most rated, and the one picked."""
    words = literal(f"%{_as_pattern(choice.text.lower())}%")
    has_words = (
        f"lower(movies.title) like {words} escape '!'" if choice.text else "true"
    )
    picked = "false" if choice.movie_id is None else f"{choice.movie_id}"
    is_picked = "false" if picked == "false" else f"movies.movie_id = {picked}"
    return {
        "offered": f"""
            select movies.movie_id, movies.title, performance.rating_count
            from serving.dim_movies as movies
            left join serving.mart_movie_performance as performance
                on movies.movie_id = performance.movie_id
            where not movies.is_deleted and not movies.is_inferred
                and (
                    {is_picked}
                    or ({has_words} and {filters.condition("movies.movie_id")})
                )
            order by
                case when {is_picked} then 0 else 1 end,
                coalesce(performance.rating_count, 0) desc,
                movies.title,
                movies.movie_id
            limit {LISTED}
        """
    }


def _as_pattern(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def movie(filters: Filters, choice: Choice) -> dict[str, str]:
    """What is known of one movie, once one is picked."""
    questions = offered(filters, choice)
    if choice.movie_id is None:
        return questions
    picked = choice.movie_id
    return questions | {
        "movie": f"""
            select
                movies.movie_id, movies.title, movies.release_year, movies.genres,
                movies.imdb_url, movies.tmdb_url, performance.rating_count,
                performance.average_rating, performance.bayesian_rating,
                performance.first_rated_at, performance.last_rated_at
            from serving.dim_movies as movies
            left join serving.mart_movie_performance as performance
                on movies.movie_id = performance.movie_id
            where movies.movie_id = {picked}
        """,
        "movie_years": f"""
            select
                dates.year,
                count(ratings.rating) as rating_count,
                cast(sum(ratings.rating) as double)
                    / nullif(count(ratings.rating), 0) as average_rating
            from serving.dim_dates as dates
            left join (
                select rated_date, rating
                from serving.fct_ratings
                where movie_id = {picked}
            ) as ratings
                on dates.date_day = ratings.rated_date
            group by dates.year
            order by dates.year
        """,
        "movie_history": f"""
            select version_number, title, genres, valid_from, valid_to, is_deleted
            from serving.dim_movies_history
            where movie_id = {picked}
            order by version_number
        """,
        "movie_user_tags": f"""
            select tag_normalised as tag, count(*) as users
            from serving.fct_tags
            where movie_id = {picked}
            group by tag_normalised
            order by users desc, tag
            limit 15
        """,
        **profile(choice),
        **neighbours(choice),
    }


def profile(choice: Choice) -> dict[str, str]:
    """The genome tags of the movie that is picked."""
    if choice.movie_id is None:
        return {}
    return {
        "profile": f"""
            select tags.tag, scores.relevance
            from serving.fct_genome_scores as scores
            inner join serving.dim_genome_tags as tags
                on scores.tag_id = tags.tag_id
            where scores.movie_id = {choice.movie_id}
            order by scores.relevance desc, tags.tag
            limit 10
        """
    }


def neighbours(choice: Choice) -> dict[str, str]:
    """What those who liked the movie that is picked also liked."""
    if choice.movie_id is None:
        return {}
    return {
        "neighbours": f"""
            select
                neighbours.neighbour_movie_id as movie_id,
                movies.title,
                neighbours.common_users,
                neighbours.similarity
            from serving.mart_movie_neighbours as neighbours
            inner join serving.dim_movies as movies
                on neighbours.neighbour_movie_id = movies.movie_id
            where neighbours.movie_id = {choice.movie_id}
            order by neighbours.rank
        """
    }


def audience(filters: Filters, choice: Choice) -> dict[str, str]:  # noqa: ARG001
    return {
        "levels": """
            select
                engagement_level,
                count(*) as users,
                sum(rating_count) as rating_count,
                min(rating_count) as least_ratings,
                max(rating_count) as most_ratings
            from serving.mart_user_engagement
            group by engagement_level
            order by engagement_level
        """,
        "most_active": f"""
            select
                user_id, rating_count, average_rating, tag_count, active_days,
                first_rated_at, last_rated_at, engagement_level, top_genre
            from serving.mart_user_engagement
            order by rating_count desc, user_id
            limit {LISTED}
        """,
        "months": _months(filters),
        "activity": measured(("active_users", "new_users")),
        "retention": measured(("retention",)),
        "cohorts": f"""
            select
                dates.year as cohort_year,
                cohorts.months_since,
                sum(cohorts.cohort_users) as cohort_users,
                sum(cohorts.active_users) as active_users
            from serving.mart_user_cohorts as cohorts
            inner join serving.dim_dates as dates
                on cohorts.cohort_month = dates.date_day
            where cohorts.months_since between 0 and {COHORT_MONTHS}
            group by dates.year, cohorts.months_since
            order by dates.year, cohorts.months_since
        """,
        "engaged_genres": """
            select
                genre,
                engagement_level,
                rating_count,
                average_rating
            from serving.mart_genre_engagement
            where engagement_level in ('High', 'Super-High')
            order by genre, engagement_level
        """,
    }


def content(filters: Filters, choice: Choice) -> dict[str, str]:
    return {
        "relevance": _relevance(filters),
        "tag_performance": f"""
            select tag, movies_with_tag, total_ratings, weighted_average_rating
            from serving.mart_tag_performance
            order by weighted_average_rating desc, tag
            limit {LISTED}
        """,
        "user_tags": _user_tags(filters),
        **offered(filters, choice),
        **profile(choice),
    }


def _relevance(filters: Filters) -> str:
    if not filters.are_set:
        return f"""
            select tag, average_relevance, movies_scored, movies_relevant
            from serving.mart_tag_relevance
            where average_relevance is not null
            order by average_relevance desc, tag
            limit {LISTED}
        """
    return f"""
        select
            tags.tag,
            cast(sum(scores.relevance) as double) / count(*) as average_relevance,
            count(*) as movies_scored,
            sum(case when scores.relevance >= 0.5 then 1 else 0 end)
                as movies_relevant
        from serving.fct_genome_scores as scores
        inner join serving.dim_genome_tags as tags on scores.tag_id = tags.tag_id
        where {filters.condition("scores.movie_id")}
        group by tags.tag
        order by average_relevance desc, tags.tag
        limit {LISTED}
    """


def _user_tags(filters: Filters) -> str:
    if not filters.are_set:
        return f"""
            select
                tag_normalised as tag, applications, movies, users, last_tagged_at
            from serving.mart_user_tags
            order by applications desc, tag_normalised
            limit {LISTED}
        """
    return f"""
        select
            tag_normalised as tag,
            count(*) as applications,
            count(distinct movie_id) as movies,
            count(distinct user_id) as users,
            max(tagged_at) as last_tagged_at
        from serving.fct_tags
        where {filters.condition()}
        group by tag_normalised
        order by applications desc, tag_normalised
        limit {LISTED}
    """


def recommendation(filters: Filters, choice: Choice) -> dict[str, str]:
    return {
        "categories": f"""
            select
                recommendation_category as category,
                max(priority) as priority,
                count(*) as movies,
                sum(rating_count) as rating_count
            from serving.mart_movie_recommendations
            where {filters.condition()}
            group by recommendation_category
            order by priority desc, category
        """,
        "recommended": f"""
            select
                movie_id, title, genres_string as genres,
                recommendation_category as category, priority, rating_count,
                average_rating
            from serving.mart_movie_recommendations
            where priority > 0 and {filters.condition()}
            order by priority desc, average_rating desc, rating_count desc, movie_id
            limit {LISTED}
        """,
        "momentum": f"""
            select momentum, count(*) as movies
            from serving.mart_movie_momentum
            where {filters.condition()}
            group by momentum
            order by momentum
        """,
        "moving": f"""
            select
                movie_id, title, momentum, recent_rating_count,
                previous_rating_count, recent_average_rating, previous_average_rating
            from serving.mart_movie_momentum
            where momentum in ('rising', 'falling') and {filters.condition()}
            order by
                recent_rating_count + previous_rating_count desc, title, movie_id
            limit {LISTED}
        """,
        **offered(filters, choice),
        **neighbours(choice),
    }


def health(filters: Filters, choice: Choice) -> dict[str, str]:  # noqa: ARG001
    return {
        "loads": f"""
            select
                load_id, loaded_at, file, status, records, rows_loaded, rows_new,
                rows_removed, rows_rejected, size
            from serving.health_loads
            order by load_id desc, file
            limit {LISTED}
        """,
        "rejects": f"""
            select file, reason, rejected_lines
            from serving.health_rejects
            order by rejected_lines desc, file, reason
            limit {LISTED}
        """,
        "reconciliation": """
            select entity, layer, reason, row_count
            from serving.health_reconciliation
            order by
                entity,
                case layer
                    when 'file' then 1 when 'raw' then 2 when 'staging' then 3 else 4
                end,
                layer,
                reason
        """,
        "tables": """
            select name, kind, row_count
            from serving.published_tables
            order by name
        """,
        "freshness": """
            select max(rated_at) as last_rated_at from serving.fct_ratings
        """,
        "build": "select tests, models from serving.publication",
    }


PAGES: Mapping[str, Questions] = {
    "overview": overview,
    "catalogue": catalogue,
    "audience": audience,
    "content": content,
    "recommendation": recommendation,
    "health": health,
}


def asked(
    page: str, filters: Filters | None = None, choice: Choice | None = None
) -> dict[str, str]:
    """All questions of a page, those of its filters among them."""
    filters, choice = filters or Filters(), choice or Choice()
    return frame(filters, choice) | PAGES[page](filters, choice)


def tables_read(page: str) -> set[str]:
    """The published tables that a page reads, whatever its reader sets."""
    few = Filters(first_year=1990)
    many = Filters(("Drama",), 1990, 2000, 1)
    return {
        table
        for filters in (Filters(), few, many)
        for choice in (Choice(), Choice(1, "a"))
        for sql in asked(page, filters, choice).values()
        for table in TABLE.findall(sql)
    }
