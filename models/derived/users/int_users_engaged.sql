{{ config(materialized='table') }}

with users as (
    select * from {{ ref('int_users_profiled') }}
),

user_genres as (
    select * from {{ ref('int_user_genres_summed') }}
),

levels as (
    select * from {{ ref('engagement_levels') }}
),

levelled as (
    {{ levelled_users('users', 'levels') }}
),

user_totals as (
    select
        user_id,
        genre,
        sum(rating_count) as rating_count
    from user_genres
    group by user_id, genre
),

top_genres as (
    select
        user_id,
        genre as top_genre,
        rating_count as top_genre_ratings
    from user_totals
    {{ top_n(1, ['rating_count desc', 'genre asc'], ['user_id']) }}
),

engaged as (
    select
        users.user_id,
        users.rating_count,
        users.rating_tenths_sum,
        users.active_days,
        users.first_rated_at,
        users.last_rated_at,
        levelled.engagement_percentile,
        levelled.engagement_level,
        top_genres.top_genre,
        coalesce(top_genres.top_genre_ratings, 0) as top_genre_ratings
    from users
    inner join levelled on users.user_id = levelled.user_id
    left join top_genres on users.user_id = top_genres.user_id
)

select * from engaged
