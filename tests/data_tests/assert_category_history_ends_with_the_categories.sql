with versions as (
    select * from {{ ref('mart_recommendation_history') }}
),

movies as (
    select * from {{ ref('mart_movie_recommendations') }}
),

last_versions as (
    select *
    from versions
    where is_current
),

differing as (
    select coalesce(last_versions.movie_id, movies.movie_id) as movie_id
    from last_versions
    full outer join movies on last_versions.movie_id = movies.movie_id
    where
        last_versions.movie_id is null
        or last_versions.is_deleted != (movies.movie_id is null)
        or last_versions.recommendation_category
        != movies.recommendation_category
)

select * from differing
