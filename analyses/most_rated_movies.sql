with performance as (
    select * from {{ ref('mart_movie_performance') }}
),

most_rated as (
    select
        movie_id,
        title,
        rating_count,
        average_rating,
        row_number() over (
            order by rating_count desc, average_rating desc, movie_id asc
        ) as rank
    from performance
    {{ top_n(
        20, ['rating_count desc', 'average_rating desc', 'movie_id asc']
    ) }}
)

select * from most_rated
