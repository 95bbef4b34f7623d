"""Catalogue: how the movies are rated, how often, and from which years they are."""

from reelhouse.dashboard.page import *

PLACE = 30
FILTERS = ("genres", "released", "ratings", "rated")


def blocks(at: At) -> Iterator[Block]:
    # If days are chosen, a movie is judged only by the ratings of these days.
    is_of_days = at.filters.first_day is not None
    basis = "average_rating" if is_of_days else "bayesian_rating"
    average = "rated.rating_sum / rated.rating_count"
    # A bare name would make Snowflake order by the table's column, not the shown one.
    by = average if is_of_days else "performance.bayesian_rating"
    fewest = max(at.filters.min_ratings, ENOUGH) if is_of_days else 0
    ever = "performance.bayesian_rating, performance.rating_stddev,"
    movies = f"""
        select performance.movie_id, performance.title, performance.release_year,
            {average} as average_rating, rated.rating_count,
            {"" if is_of_days else ever}
            replace(movies.genres, '|', ', ') as genres
        from ({at.movie_ratings()}
        ) as rated
        inner join serving.mart_movie_performance as performance
            on rated.movie_id = performance.movie_id
        inner join serving.dim_movies as movies on rated.movie_id = movies.movie_id"""
    titles = f"""
        {movies}
        order by rated.rating_count desc, performance.movie_id
        limit {LISTED_MOVIES}"""
    top = f"""
        {movies}
        where rated.rating_count >= {fewest}
        order by {by} desc, rated.rating_count desc, performance.movie_id
        limit 20"""
    distribution = f"""
        select steps.rating, count(ratings.rating) as rating_count
        from serving.mart_rating_distribution as steps
        left join (
            select rating
            from serving.fct_ratings
            where {at.filters.ratings()}
        ) as ratings
            on steps.rating = ratings.rating
        where steps.is_all
        group by steps.rating
        order by steps.rating"""
    years = f"""
        select movies.release_year, count(*) as movies_released,
            coalesce(sum(rated.rating_count), 0) as rating_count,
            sum(rated.rating_sum) / nullif(sum(rated.rating_count), 0)
                as average_rating
        from serving.dim_movies as movies
        left join ({at.movie_ratings()}
        ) as rated
            on movies.movie_id = rated.movie_id
        where movies.release_year is not null
            and not movies.is_deleted and not movies.is_inferred
            and {at.filters.movies("movies.movie_id")}
        group by movies.release_year
        order by movies.release_year"""
    best, many, given = (
        "Title against average rating",
        "Title against number of ratings",
        "Distribution of ratings",
    )
    yield Says(
        "[{title}](movie {movie_id}) is rated best: {average_rating:.2f} stars on "
        "average, from {rating_count:,} ratings"
        + ("." if is_of_days else "; its Bayesian rating is {bayesian_rating:.2f}."),
        top,
        best,
    )
    yield Says(
        "[{title}](movie {movie_id}) is rated most often, {rating_count:,} times, with "
        "{average_rating:.2f} stars on average.",
        titles,
        many,
    )
    yield Says(
        "{top.rating:.1f} stars are given most often, {top.rating_count:,} times.",
        distribution,
        given,
        rows={"top": most("rating_count")},
    )
    yield [
        Chart(
            best,
            top,
            bars("title", basis),
            f"The best first, of movies with {fewest} ratings or more in this period."
            if is_of_days
            else "The best first, by the Bayesian rating, which pulls movies with few "
            "ratings to the overall mean. At the right, the number of ratings.",
            to="movie",
        ),
        Chart(many, titles, bars("title", "rating_count"), to="movie"),
    ]
    yield Chart(
        "Quality and popularity",
        titles,
        dots("rating_count", "average_rating", is_log=True),
        "One dot for each movie: to the right, rated more often; higher up, rated "
        f"better; at most the {LISTED_MOVIES:,} most rated.",
        to="movie",
    )
    yield [
        Chart(
            "Movies by release year", years, columns("release_year", "movies_released")
        ),
        Chart(
            "Average rating by release year",
            years,
            dots("release_year", "average_rating", "rating_count"),
            "Years whose movies have ten ratings or more in total; larger dots have "
            "more ratings.",
            empty="No release year has ten ratings.",
            rows=lambda frame: frame[frame["rating_count"] >= 10],
        ),
    ]
    yield Chart(
        given,
        distribution,
        columns("rating", "rating_count"),
        empty="There are no ratings.",
        rows=lambda frame: frame if frame["rating_count"].any() else frame.head(0),
    )
    yield Table(
        "The movies",
        titles,
        says=f"At most the {LISTED_MOVIES:,} most rated.",
        to="movie",
    )
