"""Recommendation: which movies to show, and which rise or fall."""

from reelhouse.dashboard.page import *

PLACE = 60
FILTERS = ("genres", "released", "ratings")


def blocks(at: At) -> Iterator[Block]:
    movies = at.filters.movies()
    recommended = f"""
        select movie_id, title, replace(recommendation_category, '_', ' ') as category,
            average_rating, rating_count, genres_string as genres
        from serving.mart_movie_recommendations
        where priority > 0 and {movies}
        order by priority desc, average_rating desc, rating_count desc, movie_id
        limit {LISTED}"""
    moving = """
        select movie_id, title, momentum, recent_rating_count, recent_average_rating,
            previous_rating_count, previous_average_rating
        from serving.mart_movie_momentum
        where momentum in ({}) and {}
        order by recent_rating_count + previous_rating_count desc, title, movie_id
        limit {}"""
    yield Says(
        "[{title}](movie {movie_id}) comes first: {category}, with "
        "{average_rating:.2f} stars from {rating_count:,} ratings.",
        recommended,
        "Movies by category",
    )
    for momentum, than in (("rising", "more"), ("falling", "less")):
        yield Says(
            f"[{{title}}](movie {{movie_id}}) is rated {than} than before: "
            "{recent_rating_count:,} times in the last 365 days of the data, "
            "{previous_rating_count:,} in the 365 before.",
            moving.format(f"'{momentum}'", movies, 1),
            "Movies by momentum",
            counted="",
        )
    yield [
        Chart(
            "Movies by category",
            f"""
            select replace(recommendation_category, '_', ' ') as category,
                count(*) as movies, sum(rating_count) as rating_count
            from serving.mart_movie_recommendations
            where {movies}
            group by recommendation_category
            order by max(priority) desc, category""",
            bars("category", "movies"),
            "Evergreens are rated often and well, rising stars well but by fewer "
            "users, fading ones often but not so well.",
        ),
        Chart(
            "Movies by momentum",
            f"""
            select momentum, count(*) as movies
            from serving.mart_movie_momentum
            where {movies}
            group by momentum
            order by case momentum
                when 'new' then 1 when 'rising' then 2 when 'steady' then 3
                when 'falling' then 4 else 5 end""",
            bars("momentum", "movies"),
            "The last 365 days of the data against the 365 before: movies first rated "
            "in them, and those rated more, about as often, or less; dormant ones have "
            "too few ratings in both.",
        ),
    ]
    yield Table(
        "Movies to recommend",
        recommended,
        says="A movie's page shows what people who liked it also liked; a user's page "
        "shows what to watch next.",
        empty="No movie is in a category to recommend.",
        to="movie",
    )
    yield Table(
        "Rising and falling movies",
        moving.format("'rising', 'falling'", movies, LISTED),
        empty="No movie is rising or falling.",
        to="movie",
    )
    yield Table(
        "Changes of category",
        f"""
        select history.movie_id, movies.title,
            replace(former.recommendation_category, '_', ' ') as former,
            case when history.is_deleted then 'gone'
                else replace(history.recommendation_category, '_', ' ') end as category,
            history.valid_from as changed_at
        from serving.mart_recommendation_history as history
        inner join serving.mart_recommendation_history as former
            on history.movie_id = former.movie_id
            and history.version_number = former.version_number + 1
        inner join serving.dim_movies as movies
            on history.movie_id = movies.movie_id
        where {at.filters.movies("history.movie_id")}
        order by history.valid_from desc, history.movie_id, history.version_number
        limit {LISTED}""",
        says="Movies that a later load moved to another category.",
        empty="No load has moved a movie to another category yet.",
        to="movie",
    )
