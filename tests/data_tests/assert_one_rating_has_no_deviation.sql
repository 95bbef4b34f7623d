with performance as (
    select * from {{ ref('mart_movie_performance') }}
),

wrong as (
    select
        movie_id,
        rating_count,
        rating_stddev
    from performance
    where (rating_count = 1) != (rating_stddev is null)
)

select * from wrong
