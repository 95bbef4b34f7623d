"""Movie: the ratings, neighbours, tags and history of one movie."""

from reelhouse.dashboard.page import *

PLACE = 100
SUBJECT = """
    select movie_id as subject
    from serving.mart_movie_performance
    order by rating_count desc, movie_id
    limit 1"""


def blocks(at: At) -> Iterator[Block]:
    movie = f"""
        select coalesce(movies.title, 'a movie that no file names') as title,
            movies.release_year, replace(movies.genres, '|', ', ') as genres,
            releases.release_date, movies.previous_title, movies.imdb_url,
            movies.tmdb_url, performance.rating_count, performance.average_rating,
            performance.bayesian_rating, performance.rating_stddev,
            performance.first_rated_at, performance.last_rated_at, momentum.momentum,
            replace(recommendations.recommendation_category, '_', ' ') as category,
            abs(performance.average_rating - every.mean) as _by,
            case when performance.average_rating < every.mean then 'below'
                else 'above' end as _side,
            every.mean as _mean,
            case when movies.is_deleted then 'no longer in any file' end as gone
        from serving.dim_movies as movies
        left join serving.mart_movie_performance as performance
            on movies.movie_id = performance.movie_id
        left join serving.mart_movie_momentum as momentum
            on movies.movie_id = momentum.movie_id
        left join serving.mart_movie_recommendations as recommendations
            on movies.movie_id = recommendations.movie_id
        left join serving.mart_movie_releases as releases
            on movies.movie_id = releases.movie_id
        cross join (
            select sum(average_rating * rating_count) / nullif(sum(rating_count), 0)
                as mean
            from serving.mart_movie_performance
        ) as every
        where movies.movie_id = {at.id}"""
    years = by_year(f"movie_id = {at.id}")
    yield Section("{title}", sql=movie)
    yield Facts(
        "released **{release_date:%Y-%m-%d}** · year **{release_year}** · "
        "genres **{genres}** · first rated **{first_rated_at:%Y-%m-%d}** · last "
        "**{last_rated_at:%Y-%m-%d}** · category **{category}** · momentum "
        "**{momentum}** · previous title **{previous_title}** · {gone} · "
        "[IMDb]({imdb_url}) · [TMDB]({tmdb_url})",
        movie,
    )
    of_ratings = "from {rating_count:,} ratings"
    yield Figures(
        movie,
        {
            "Ratings": ("{rating_count:,}", ""),
            "average_rating": ("", of_ratings),
            "Bayesian rating": ("{bayesian_rating:.2f} ★", of_ratings),
            "Standard deviation": ("{rating_stddev:.2f} ★", of_ratings),
        },
    )
    yield Says(
        "It is rated {_by:.2f} stars {_side} the mean of all ratings, {_mean:.2f}, by "
        "{rating_count:,} users.",
        movie,
    )
    yield Says(
        "Its average went from {then.average_rating:.2f} stars in {then.rating_year} "
        "({then.rating_count:,} ratings) to {now.average_rating:.2f} in "
        "{now.rating_year} ({now.rating_count:,} ratings).",
        years,
        "Average rating by year",
        enough=ENOUGH // 3,
        rows={"then": first, "now": last},
    )
    yield [
        Chart("Ratings by year", years, columns("rating_year", "rating_count")),
        Chart(
            "Average rating by year",
            years,
            dots("rating_year", "average_rating", "rating_count"),
        ),
    ]
    yield Chart(
        "People who liked this also liked",
        f"""
        select neighbours.neighbour_movie_id as movie_id, movies.title,
            neighbours.similarity, neighbours.common_users
        from serving.mart_movie_neighbours as neighbours
        inner join serving.dim_movies as movies
            on neighbours.neighbour_movie_id = movies.movie_id
        where neighbours.movie_id = {at.id}
        order by neighbours.rank""",
        bars("title", "similarity"),
        "Movies that the same users gave four stars or more; the further to the "
        "right, the larger the share of users who liked both.",
        empty="Too few users liked this movie to say what else they liked.",
        to="movie",
    )
    yield [
        Chart(
            "Tags by users",
            f"""
            select tag_normalised as tag, users, share
            from serving.mart_movie_user_tags
            where movie_id = {at.id}
            order by rank
            limit 15""",
            bars("tag", "users"),
            empty="No user has put a tag on this movie.",
            to="tag",
        ),
        Chart(
            "Tag profile",
            f"""
            select lower(tags.tag) as tag, scores.relevance
            from serving.fct_genome_scores as scores
            inner join serving.dim_genome_tags as tags on scores.tag_id = tags.tag_id
            where scores.movie_id = {at.id}
            order by scores.relevance desc, tags.tag
            limit 10""",
            bars("tag", "relevance"),
            "The ten tags of the tag genome that fit the movie best, from 0 to 1.",
            empty="The tag genome does not contain this movie.",
            to="tag",
        ),
    ]
    yield Section(
        "History",
        "What the files said about it. Rows of the first load have no start, and "
        "current rows have no end; links have no history.",
    )
    yield Table(
        "Titles and genres",
        f"""
        select version_number, title, replace(genres, '|', ', ') as genres,
            case when extract(year from valid_from) > 1900 then valid_from end
                as valid_from,
            valid_to, is_deleted
        from serving.dim_movies_history
        where movie_id = {at.id}
        order by version_number""",
        empty="No file has contained this movie.",
    )
