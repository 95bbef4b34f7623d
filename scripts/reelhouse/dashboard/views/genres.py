"""Genres: how each is rated, and which rise or fall."""

from dataclasses import replace

from reelhouse.dashboard.filters import literal
from reelhouse.dashboard.page import *

PLACE = 20
FILTERS = ("genres", "released", "ratings", "rated")


def blocks(at: At) -> Iterator[Block]:
    shown = ", ".join(literal(genre) for genre in at.filters.genres)
    of_genres = f"genre in ({shown})" if shown else "true"
    # A movie of two genres counts in both, even if only one of them is chosen.
    every = replace(at, filters=at.filters.without("genres"))
    ratings = f"""
        select links.genre,
            sum(rated.rating_sum * links.genre_weight)
                / sum(rated.rating_count * links.genre_weight)
                as weighted_average_rating,
            sum(rated.rating_sum) / sum(rated.rating_count) as average_rating,
            sum(rated.rating_count) as rating_count,
            count(*) as movies
        from ({every.movie_ratings()}
        ) as rated
        inner join serving.bridge_movies_genres as links
            on rated.movie_id = links.movie_id
        where {of_genres}
        group by links.genre
        order by weighted_average_rating desc, links.genre"""
    changes = f"""
        select genre,
            average_rating - average_before as average_change,
            average_rating, rating_count, average_before, count_before,
            abs(average_rating - average_before) as _by,
            case when average_rating < average_before then 'fell' else 'rose' end
                as _did
        from (
            select links.genre,
                cast(sum(rated.sum_now) as double) / nullif(sum(rated.count_now), 0)
                    as average_rating,
                sum(rated.count_now) as rating_count,
                cast(sum(rated.sum_before) as double)
                    / nullif(sum(rated.count_before), 0) as average_before,
                sum(rated.count_before) as count_before
            from ({every.two_periods()}
            ) as rated
            inner join serving.bridge_movies_genres as links
                on rated.movie_id = links.movie_id
            where {of_genres}
            group by links.genre
        ) as genres
        where rating_count >= {ENOUGH} and count_before >= {ENOUGH}
            and genre in (select genre from serving.dim_genres where is_listed)
        order by average_change, genre"""
    change, best, largest = (
        "Change of the average",
        "Average rating of each genre",
        "Ratings in each genre",
    )
    for did, pick in (("fell", first), ("rose", last)):
        yield Says(
            f"[{{one.genre}}](genre {{one.genre}}) {did} by {{one._by:.2f}} stars to "
            "{one.average_rating:.2f}, the most of all genres "
            f"({at.periods}: {{one.rating_count:,}} and {{one.count_before:,}} "
            "ratings).",
            changes,
            change,
            rows={"one": only(did, pick)},
        )
    yield Says(
        "[{top.genre}](genre {top.genre}) is rated best, "
        "{top.weighted_average_rating:.2f} stars from {top.rating_count:,} ratings; "
        "[{low.genre}](genre {low.genre}) worst, {low.weighted_average_rating:.2f} "
        "from {low.rating_count:,}.",
        ratings,
        best,
        rows={"top": first, "low": last},
    )
    yield Says(
        "[{top.genre}](genre {top.genre}) has the most ratings, "
        "{top.rating_count:,}, for {top.movies:,} movies.",
        ratings,
        largest,
        rows={"top": most("rating_count")},
    )
    yield Chart(
        change,
        changes,
        bars("genre", "average_change"),
        f"Average rating, {at.periods}; genres with {ENOUGH} ratings or more in both. "
        "The page of a genre shows which movies caused its change.",
        empty=f"No genre has {ENOUGH} ratings in this period and in the one before.",
        to="genre",
    )
    yield [
        Chart(
            best,
            ratings,
            bars(
                "genre",
                weighted_average_rating="by share",
                average_rating="once in each genre",
            ),
            "A movie counts once in each of its genres, or by its share in them, so "
            "that one with many genres weighs no more than one with a single genre.",
            to="genre",
        ),
        Chart(
            largest,
            ratings,
            bars("genre", "rating_count"),
            "A rating counts once in each genre of its movie.",
            to="genre",
            rows=lambda frame: frame.sort_values(
                ["rating_count", "genre"], ascending=[False, True]
            ),
        ),
    ]
    yield Chart(
        "Average rating of each genre by year",
        f"""
        select genre, rating_year, average_rating, rating_count
        from serving.mart_genre_trends
        where rating_count >= {ENOUGH} and {of_genres}
        order by genre, rating_year""",
        heat("rating_year", "genre", "average_rating"),
        f"Years in which the genre has {ENOUGH} ratings or more.",
        empty=f"No genre has {ENOUGH} ratings in a year.",
        to="genre",
    )
    yield Table("Genres in both periods", changes, says=f"{at.periods}.", to="genre")


def only(did: str, pick: Pick) -> Pick:
    """Pick a row with `pick`, but only if it fell or rose as `did` says."""
    return lambda frame: pick(frame) if pick(frame)["_did"] == did else None
