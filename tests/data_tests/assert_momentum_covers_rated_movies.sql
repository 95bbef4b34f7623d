with momentum as (
    select * from {{ ref('mart_movie_momentum') }}
),

performance as (
    select * from {{ ref('mart_movie_performance') }}
),

ratings as (
    select * from {{ ref('fct_ratings') }}
),

last_day as (
    select max(rated_date) as last_date
    from ratings
),

counted as (
    select
        ratings.movie_id,
        count(*) as rating_count
    from ratings
    cross join last_day
    where
        {{ dbt.datediff('ratings.rated_date', 'last_day.last_date', 'day') }}
        < 730
    group by ratings.movie_id
),

wrong as (
    select
        performance.movie_id as expected_movie_id,
        momentum.movie_id,
        momentum.momentum
    from performance
    full outer join momentum on performance.movie_id = momentum.movie_id
    left join counted on momentum.movie_id = counted.movie_id
    cross join last_day
    where
        performance.movie_id is null
        or momentum.movie_id is null
        or coalesce(counted.rating_count, 0)
        != momentum.recent_rating_count + momentum.previous_rating_count
        or (momentum.momentum = 'dormant') != (
            coalesce(counted.rating_count, 0)
            < {{ var('min_momentum_ratings') }}
        )
        or (
            momentum.momentum != 'dormant'
            and (momentum.momentum = 'new') != (
                {{ dbt.datediff(
                    'cast(performance.first_rated_at as date)',
                    'last_day.last_date', 'day'
                ) }} < 365
            )
        )
        or (
            momentum.momentum = 'rising'
            and momentum.recent_rating_count <= momentum.previous_rating_count
        )
        or (
            momentum.momentum = 'falling'
            and momentum.recent_rating_count >= momentum.previous_rating_count
        )
)

select * from wrong
