"""User: what a user rates, how that differs from others, and what to watch next."""

from reelhouse.dashboard.page import *

PLACE = 130
SUBJECT = """
    select user_id as subject
    from serving.mart_user_engagement
    order by rating_count desc, user_id
    limit 1"""


def watch_next(user_id: int) -> str:
    """A select of movies that a user has not rated, by neighbours of liked movies.

    The score adds up the similarity of a movie to each one that the user gave four
    stars or more, divided by the square root of its similarities to all movies; without
    this, everybody would get the best-known ones. `because` is the one that adds most.
    """
    return f"""
        with rated as (
            select movie_id, rating
            from serving.fct_ratings
            where user_id = {user_id}
        ),
        neighbours as (
            select movie_id, neighbour_movie_id,
                similarity / sqrt(sum(similarity) over (
                    partition by neighbour_movie_id
                )) as similarity
            from serving.mart_movie_neighbours
        ),
        reached as (
            select neighbours.neighbour_movie_id as movie_id,
                rated.movie_id as liked_id,
                sum(neighbours.similarity) over (
                    partition by neighbours.neighbour_movie_id
                ) as score,
                row_number() over (
                    partition by neighbours.neighbour_movie_id
                    order by neighbours.similarity desc, rated.movie_id
                ) as place
            from rated
            inner join neighbours on rated.movie_id = neighbours.movie_id
            where rated.rating >= 4
                and neighbours.neighbour_movie_id not in (select movie_id from rated)
        )
        select reached.movie_id, performance.title, liked.title as because,
            performance.average_rating, performance.rating_count,
            reached.score as _score
        from reached
        inner join serving.mart_movie_performance as performance
            on reached.movie_id = performance.movie_id
        inner join serving.dim_movies as liked on reached.liked_id = liked.movie_id
        where reached.place = 1
        order by reached.score desc, performance.rating_count desc, reached.movie_id
        limit 10"""


def blocks(at: At) -> Iterator[Block]:
    user = f"""
        select user_id, rating_count, average_rating, tag_count, active_days,
            first_rated_at, last_rated_at, engagement_level,
            floor(engagement_percentile * 100) / 100 as _more_than,
            top_genre, top_genre_ratings
        from serving.mart_user_engagement
        where user_id = {at.id}"""
    genres = f"""
        select links.genre,
            cast(sum(ratings.rating) as double) / count(*) as average_rating,
            max(every.average_rating) as others_average,
            count(*) as rating_count,
            abs(cast(sum(ratings.rating) as double) / count(*)
                - max(every.average_rating)) as _by
        from serving.fct_ratings as ratings
        inner join serving.bridge_movies_genres as links
            on ratings.movie_id = links.movie_id
        inner join serving.mart_genre_ratings as every on links.genre = every.genre
        where ratings.user_id = {at.id}
        group by links.genre
        order by count(*) desc, links.genre
        limit 15"""
    yield Section("User {user_id}", sql=user)
    yield Facts(
        "first rating **{first_rated_at:%Y-%m-%d}** · last "
        "**{last_rated_at:%Y-%m-%d}** · rates most [{top_genre}](genre {top_genre}), "
        "{top_genre_ratings:,} times",
        user,
    )
    yield Figures(
        user,
        {
            "Ratings": ("{rating_count:,}", ""),
            "average_rating": ("", "from {rating_count:,} ratings"),
            "Tags": ("{tag_count:,}", ""),
            "Days with a rating": ("{active_days:,}", ""),
            "Engagement": (
                "{engagement_level}",
                "more ratings than {_more_than:.0%} of users",
            ),
        },
    )
    yield Says(
        "Watch next: [{title}](movie {movie_id}), because of {because} "
        "({average_rating:.2f} stars from {rating_count:,} ratings).",
        watch_next(at.id),
        "What to watch next",
        counted="",
    )
    yield Says(
        "Furthest from others in [{far.genre}](genre {far.genre}): "
        "{far.average_rating:.2f} stars in {far.rating_count:,} ratings, where all "
        "users give {far.others_average:.2f}.",
        genres,
        "Genres, compared with all users",
        enough=ENOUGH // 3,
        rows={"far": most("_by")},
    )
    yield Table(
        "What to watch next",
        watch_next(at.id),
        says="Movies that this user has not rated, liked by the same people as those "
        "that the user gave four stars or more.",
        empty="Too few of the movies that this user liked have neighbours.",
        to="movie",
    )
    yield [
        Chart(
            "Genres, compared with all users",
            genres,
            bars("genre", average_rating="this user", others_average="all"),
            "The user's average and that of all users, in the genres rated most.",
            to="genre",
        ),
        Chart(
            "Ratings by year",
            by_year(f"user_id = {at.id}"),
            columns("rating_year", "rating_count"),
        ),
    ]
    yield Table(
        "What the user has rated",
        f"""
        select ratings.movie_id, performance.title, ratings.rating, ratings.rated_at,
            performance.average_rating as others_average, performance.rating_count
        from serving.fct_ratings as ratings
        inner join serving.mart_movie_performance as performance
            on ratings.movie_id = performance.movie_id
        where ratings.user_id = {at.id}
        order by ratings.rated_at desc, ratings.movie_id
        limit {LISTED_MOVIES}""",
        says="The latest first; with the average and the number of all ratings.",
        to="movie",
    )
