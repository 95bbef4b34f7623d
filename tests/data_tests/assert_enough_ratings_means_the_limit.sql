with performance as (
    select * from {{ ref('mart_movie_performance') }}
),

wrong as (
    select
        movie_id,
        rating_count,
        has_enough_ratings
    from performance
    where
        has_enough_ratings
        != (rating_count >= {{ var('min_movie_ratings') }})
)

select * from wrong
