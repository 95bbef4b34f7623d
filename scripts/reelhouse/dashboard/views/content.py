"""Content: what movies are about, by their users and by the tag genome."""

from reelhouse.dashboard.page import *

PLACE = 50
FILTERS = ("genres", "released", "ratings")


def blocks(at: At) -> Iterator[Block]:
    used = f"""
        select tag_normalised as tag, count(*) as applications,
            count(distinct movie_id) as movies, count(distinct user_id) as users,
            max(tagged_at) as last_tagged_at
        from serving.fct_tags
        where {at.filters.movies()}
        group by tag_normalised
        order by applications desc, tag_normalised
        limit {LISTED}"""
    relevance = f"""
        select lower(tag) as tag, average_relevance, movies_scored, movies_relevant
        from serving.mart_tag_relevance as relevance
        where average_relevance is not null
        order by average_relevance desc, lower(relevance.tag)
        limit {LISTED}"""
    if at.filters.set:
        relevance = f"""
            select lower(tags.tag) as tag,
                cast(sum(scores.relevance) as double) / count(*) as average_relevance,
                count(*) as movies_scored,
                sum(case when scores.relevance >= 0.5 then 1 else 0 end)
                    as movies_relevant
            from serving.fct_genome_scores as scores
            inner join serving.dim_genome_tags as tags on scores.tag_id = tags.tag_id
            where {at.filters.movies("scores.movie_id")}
            group by lower(tags.tag)
            order by average_relevance desc, lower(tags.tag)
            limit {LISTED}"""
    rated = f"""
        select tags.tag_normalised as tag, count(*) as movies,
            sum(performance.rating_count) as rating_count,
            sum(performance.average_rating * performance.rating_count)
                / sum(performance.rating_count) as average_rating
        from serving.mart_movie_user_tags as tags
        inner join serving.mart_movie_performance as performance
            on tags.movie_id = performance.movie_id
        where {at.filters.movies("tags.movie_id")}
        group by tags.tag_normalised
        having count(*) >= 3 and sum(performance.rating_count) >= {ENOUGH}
        order by sum(performance.rating_count) desc, tags.tag_normalised
        limit {LISTED}"""
    yield Says(
        "[{tag}](tag {tag}) is the tag that users write most, {applications:,} times "
        "on {movies:,} movies.",
        used,
        "What users write",
        counted="",
    )
    yield Says(
        "Movies tagged [{top.tag}](tag {top.tag}) are rated best, "
        "{top.average_rating:.2f} stars from {top.rating_count:,} ratings; those "
        "tagged [{low.tag}](tag {low.tag}) worst, {low.average_rating:.2f} from "
        "{low.rating_count:,}.",
        rated,
        "Tags of users and ratings",
        rows={"top": most("average_rating"), "low": least("average_rating")},
    )
    yield [
        Chart(
            "What users write",
            used,
            bars("tag", "applications"),
            "The tags that users put on movies most often; spellings that differ in "
            "case and spaces are one tag.",
            to="tag",
        ),
        Chart(
            "Tags by relevance",
            relevance,
            bars("tag", "average_relevance"),
            "Tags of the tag genome, by how well they fit the movies on average.",
            empty="There are no genome scores for these movies.",
            to="tag",
        ),
    ]
    yield Chart(
        "Tags of users and ratings",
        rated,
        dots("rating_count", "average_rating", "movies", is_log=True),
        "One dot for each tag that users put on three movies or more: how often these "
        "are rated, and how well; larger dots are on more movies.",
        to="tag",
    )
    yield Chart(
        "Tags of the genome and ratings",
        f"""
        select lower(tag) as tag, movies_with_tag, weighted_average_rating,
            total_ratings
        from serving.mart_tag_performance as performance
        order by weighted_average_rating desc, lower(performance.tag)
        limit {LISTED}""",
        dots("movies_with_tag", "weighted_average_rating"),
        "One dot for each tag that is among the top tags of many movies: how many, "
        "and how well these are rated.",
        empty="No tag is among the top tags of enough movies, or there is no genome.",
        to="tag",
    )
    yield Table("Tags by users", used, to="tag")
