with performance as (
    select * from {{ ref('mart_movie_performance') }}
),

movies as (
    select * from {{ ref('dim_movies') }}
),

ratings as (
    select * from {{ ref('int_ratings_summed_by_movie') }}
),

expected as (
    select
        ratings.movie_id,
        ratings.rating_count
    from ratings
    inner join movies on ratings.movie_id = movies.movie_id
    where not movies.is_inferred and not movies.is_deleted
),

differing as (
    select
        expected.movie_id as expected_movie_id,
        performance.movie_id
    from expected
    full outer join performance
        on
            expected.movie_id = performance.movie_id
            and expected.rating_count = performance.rating_count
    where expected.movie_id is null or performance.movie_id is null
)

select * from differing
