with versions as (
    select * from {{ ref('snap_recommendations') }}
),

movies as (
    select * from {{ ref('mart_movie_recommendations') }}
),

last_versions as (
    select *
    from versions
    where dbt_valid_to is null
),

differing as (
    select coalesce(last_versions.movie_id, movies.movie_id) as movie_id
    from last_versions
    full outer join movies on last_versions.movie_id = movies.movie_id
    where
        last_versions.movie_id is null
        or (last_versions.dbt_is_deleted = 'True') != (movies.movie_id is null)
        or last_versions.recommendation_category
        != movies.recommendation_category
),

-- A movie that is gone has a last version too, which says so.
unended as (
    select movie_id
    from versions
    group by movie_id
    having count(case when dbt_valid_to is null then 1 end) != 1
),

wrong as (
    select * from differing
    union all
    select * from unended
)

select * from wrong
