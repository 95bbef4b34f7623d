"""Genre: how a genre is rated, how that changed, and which movies made the change."""

from reelhouse.dashboard.page import *

PLACE = 110
FILTERS = ("released", "ratings", "rated")
SUBJECT = """
    select genre as subject
    from serving.mart_genre_ratings
    order by rating_count desc, genre
    limit 1"""


def blocks(at: At) -> Iterator[Block]:
    of_genre = f"genre = {at.name}"
    # A movie's contribution is how far it lies above the earlier average, times its
    # share of ratings, now minus before. They add up to the change of the average.
    carried = f"""
        with rated as (
            select each.*
            from ({at.two_periods()}
            ) as each
            inner join serving.bridge_movies_genres as links
                on each.movie_id = links.movie_id
            where links.{of_genre}
        ),
        whole as (
            select cast(sum(count_now) as double) as all_now,
                cast(sum(count_before) as double) as all_before,
                cast(sum(sum_now) as double) / nullif(sum(count_now), 0) as mean_now,
                cast(sum(sum_before) as double) / nullif(sum(count_before), 0) as mean
            from rated
        )
        select rated.movie_id, movies.title,
            (rated.sum_now - whole.mean * rated.count_now) / whole.all_now
                - (rated.sum_before - whole.mean * rated.count_before)
                / whole.all_before
                as contribution,
            cast(rated.sum_now as double) / nullif(rated.count_now, 0)
                as average_rating,
            rated.count_now as rating_count,
            cast(rated.sum_before as double) / nullif(rated.count_before, 0)
                as average_before,
            rated.count_before,
            abs(whole.mean_now - whole.mean) as _by,
            case when whole.mean_now < whole.mean then 'fell' else 'rose' end as _did,
            whole.all_now as _now,
            whole.all_before as _before
        from rated
        cross join whole
        inner join serving.dim_movies as movies on rated.movie_id = movies.movie_id
        where whole.all_now >= {ENOUGH} and whole.all_before >= {ENOUGH}
        order by contribution, rated.movie_id"""
    years = f"""
        select rating_year, average_rating, weighted_average_rating, rating_count,
            active_users
        from serving.mart_genre_trends
        where {of_genre} and rating_count > 0
        order by rating_year"""
    made = "Movies that made the change"
    genre = f"""
        select genre, rating_count, raters, average_rating, weighted_average_rating,
            rated_movies, movies
        from serving.mart_genre_ratings
        where {of_genre}"""
    yield Section("{genre}", sql=genre)
    yield Figures(
        genre,
        {
            "Ratings": ("{rating_count:,}", ""),
            "raters": ("", ""),
            "average_rating": ("", "from {rating_count:,} ratings"),
            "weighted_average_rating": ("", "by the genre's share in each movie"),
            "rated_movies": ("", "of {movies:,} movies"),
        },
    )
    yield Says(
        f"It {{_did}} by {{_by:.2f}} stars ({at.periods}: {{_now:,.0f}} and "
        "{_before:,.0f} ratings). [{low.title}](movie {low.movie_id}) pulled it "
        "down most ({low.contribution:+.3f}), [{high.title}](movie {high.movie_id}) "
        "raised it most ({high.contribution:+.3f}).",
        carried,
        made,
        counted="",
        rows={"low": least("contribution"), "high": most("contribution")},
    )
    yield Says(
        "Its best year was {top.rating_year}, with {top.average_rating:.2f} stars "
        "from {top.rating_count:,} ratings; its worst {low.rating_year}, with "
        "{low.average_rating:.2f} from {low.rating_count:,}.",
        years,
        "Average rating by year",
        rows={"top": most("average_rating"), "low": least("average_rating")},
    )
    yield Chart(
        made,
        carried,
        bars("title", "contribution"),
        f"{at.periods}. The shares of all movies add up to the change in the "
        "genre's average: those that pulled it down most first, then those that "
        "raised it most.",
        empty=f"It has fewer than {ENOUGH} ratings in one of the periods.",
        to="movie",
        rows=lambda frame: (
            frame.iloc[[*range(8), *range(-8, 0)]] if len(frame) > 16 else frame
        ),
    )
    yield [
        Chart(
            "Average rating by year",
            years,
            dots("rating_year", "average_rating", "rating_count"),
            "Larger dots have more ratings.",
        ),
        Chart("Ratings by year", years, columns("rating_year", "rating_count")),
    ]
    yield [
        Chart(
            "Best movies",
            f"""
            select movie_id, rank, title, bayesian_rating, average_rating, rating_count
            from serving.mart_top_movies_by_genre
            where basis = 'bayesian' and {of_genre}
            order by rank""",
            bars("title", "bayesian_rating"),
            "By the Bayesian rating, which pulls movies with few ratings to the mean.",
            empty="No movie of this genre has enough ratings.",
            to="movie",
        ),
        Chart(
            "Distribution of its ratings",
            f"""
            select rating, rating_count, cumulative_share
            from serving.mart_rating_distribution
            where {of_genre} and not is_all
            order by rating""",
            columns("rating", "rating_count"),
        ),
    ]
