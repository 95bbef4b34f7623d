"""Tag: which movies a tag is put on, by whom, and how they are rated."""

from reelhouse.dashboard.page import *

PLACE = 120
FILTERS = ("genres", "released", "ratings")
SUBJECT = """
    select tag_normalised as subject
    from serving.mart_user_tags
    order by applications desc, tag_normalised
    limit 1"""


def blocks(at: At) -> Iterator[Block]:
    movies = f"""
        select tags.movie_id, movies.title, tags.users, tags.share,
            performance.average_rating, performance.rating_count,
            sum(performance.rating_count) over () as _all,
            sum(performance.average_rating * performance.rating_count) over ()
                / sum(performance.rating_count) over () as _mean
        from serving.mart_movie_user_tags as tags
        inner join serving.dim_movies as movies on tags.movie_id = movies.movie_id
        left join serving.mart_movie_performance as performance
            on tags.movie_id = performance.movie_id
        where tags.tag_normalised = {at.name}
            and {at.filters.movies("tags.movie_id")}
        order by tags.users desc, tags.share desc, tags.movie_id
        limit {LISTED}"""
    years = f"""
        select extract(year from tagged_at) as tag_year, count(*) as applications,
            count(distinct movie_id) as movies, count(distinct user_id) as users
        from serving.fct_tags
        where tag_normalised = {at.name} and {at.filters.movies()}
        group by extract(year from tagged_at)
        order by tag_year"""
    tag = f"""
        select coalesce(used.tag_normalised, lower(genome.tag)) as tag,
            used.applications, used.movies, used.users, used.first_tagged_at,
            used.last_tagged_at
        from serving.mart_user_tags as used
        full outer join serving.dim_genome_tags as genome
            on used.tag_normalised = lower(genome.tag)
        where coalesce(used.tag_normalised, lower(genome.tag)) = {at.name}"""
    yield Section("{tag}", sql=tag)
    yield Figures(
        tag,
        {
            "Times applied": ("{applications:,}", ""),
            "Movies": ("{movies:,}", ""),
            "Users": ("{users:,}", ""),
            "First": ("{first_tagged_at:%Y-%m-%d}", ""),
            "Last": ("{last_tagged_at:%Y-%m-%d}", ""),
        },
    )
    yield Says(
        "Movies that have it are rated {_mean:.2f} stars ({_all:,} ratings).",
        movies,
        "Movies with this tag",
        "_all",
    )
    yield Says(
        "It was used most in {top.tag_year}, {top.applications:,} times.",
        years,
        "Uses by year",
        "applications",
        ENOUGH // 3,
        {"top": most("applications")},
    )
    yield Table("Movies with this tag", movies, to="movie")
    yield [
        Chart(
            "Movies that it fits best",
            f"""
            select scores.movie_id, movies.title, scores.relevance
            from serving.fct_genome_scores as scores
            inner join serving.dim_genome_tags as tags on scores.tag_id = tags.tag_id
            inner join serving.dim_movies as movies
                on scores.movie_id = movies.movie_id
            where lower(tags.tag) = {at.name}
                and {at.filters.movies("scores.movie_id")}
            order by scores.relevance desc, scores.movie_id
            limit 20""",
            bars("title", "relevance"),
            "Relevance by the tag genome, from 0 to 1.",
            empty="The tag genome does not contain this tag.",
            to="movie",
        ),
        Chart("Uses by year", years, columns("tag_year", "applications")),
    ]
    yield Table(
        "Changed and removed uses",
        f"""
        select history.movie_id, movies.title, history.tag, history.version_number,
            history.valid_from, history.valid_to, history.is_deleted
        from serving.fct_tags_history as history
        left join serving.dim_movies as movies on history.movie_id = movies.movie_id
        where history.tag_normalised = {at.name}
            and {at.filters.movies("history.movie_id")}
            and (history.version_number > 1 or history.is_deleted)
        order by history.valid_from desc, history.movie_id, history.user_id,
            history.version_number
        limit {LISTED}""",
        says="Uses that loads changed or removed.",
        empty="No use of it was ever changed or removed.",
        to="movie",
    )
