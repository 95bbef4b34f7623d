with performance as (
    select * from {{ ref('mart_movie_performance') }}
),

best as (
    select
        movie_id,
        title,
        average_rating,
        bayesian_rating,
        rating_count,
        row_number() over (
            order by bayesian_rating desc, rating_count desc, movie_id asc
        ) as rank
    from performance
    where has_enough_ratings
    {{ top_n(
        20, ['bayesian_rating desc', 'rating_count desc', 'movie_id asc']
    ) }}
)

select * from best
