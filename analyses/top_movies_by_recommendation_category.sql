with recommendations as (
    select * from {{ ref('mart_movie_recommendations') }}
),

top_movies as (
    select
        recommendation_category,
        movie_id,
        title,
        genres_string,
        average_rating,
        rating_count,
        row_number() over (
            partition by recommendation_category
            order by average_rating desc, rating_count desc, movie_id asc
        ) as rank
    from recommendations
    {{ top_n(
        5, ['average_rating desc', 'rating_count desc', 'movie_id asc'],
        ['recommendation_category']
    ) }}
)

select * from top_movies
