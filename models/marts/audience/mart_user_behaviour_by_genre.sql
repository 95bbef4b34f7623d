{{ config(materialized='view') }}

with ratings as (
    select * from {{ ref('fct_ratings') }}
),

movie_genres as (
    select * from {{ ref('bridge_movies_genres') }}
),

users as (
    select * from {{ ref('mart_user_engagement') }}
),

final as (
    select
        ratings.user_id,
        ratings.movie_id,
        ratings.rating,
        ratings.rated_at,
        movie_genres.genre,
        movie_genres.genre_weight,
        users.engagement_level,
        users.rating_count as user_rating_count,
        users.average_rating as user_average_rating,
        cast(extract(year from ratings.rated_date) as integer) as rated_year,
        cast(extract(month from ratings.rated_date) as integer) as rated_month,
        cast(extract(day from ratings.rated_date) as integer)
            as rated_day_of_month,
        {{ iso_day_of_week('ratings.rated_date') }} as rated_iso_day_of_week
    from ratings
    inner join movie_genres on ratings.movie_id = movie_genres.movie_id
    left join users on ratings.user_id = users.user_id
)

select * from final
