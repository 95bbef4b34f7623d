with movie_tags as (
    select * from {{ ref('mart_movie_user_tags') }}
),

tags as (
    select * from {{ ref('fct_tags') }}
),

movies as (
    select * from {{ ref('dim_movies') }}
),

expected as (
    select
        tags.movie_id,
        count(*) as applications,
        count(distinct tags.tag_normalised) as tags,
        count(distinct tags.user_id) as taggers
    from tags
    inner join movies on tags.movie_id = movies.movie_id
    where not movies.is_deleted and not movies.is_inferred
    group by tags.movie_id
),

found as (
    select
        movie_id,
        sum(users) as applications,
        count(*) as tags,
        max(rank) as last_rank,
        count(distinct rank) as ranks,
        max(users) as users_of_top_tag,
        max(case when rank = 1 then users end) as users_of_first_tag,
        max(share) as top_share
    from movie_tags
    group by movie_id
),

wrong as (
    select
        expected.movie_id as expected_movie_id,
        found.movie_id
    from expected
    full outer join found on expected.movie_id = found.movie_id
    where
        expected.movie_id is null
        or found.movie_id is null
        or found.applications != expected.applications
        or found.tags != expected.tags
        or found.last_rank != expected.tags
        or found.ranks != expected.tags
        or found.users_of_first_tag != found.users_of_top_tag
        or abs(found.top_share * expected.taggers - found.users_of_top_tag)
        > 1e-9 * expected.taggers
)

select * from wrong
