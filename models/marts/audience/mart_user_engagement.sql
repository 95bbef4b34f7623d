with users as (
    select * from {{ ref('int_users_ranked') }}
),

user_genres as (
    select * from {{ ref('int_user_genres_summed') }}
),

active_users as (
    select * from {{ ref('dim_users') }}
),

top_genres as (
    select
        user_id,
        genre as top_genre,
        rating_count as top_genre_ratings
    from user_genres
    {{ top_n(1, ['rating_count desc', 'genre asc'], ['user_id']) }}
),

final as (
    select
        users.user_id,
        active_users.tag_count,
        users.first_rated_at,
        users.last_rated_at,
        users.engagement_percentile,
        users.engagement_level,
        top_genres.top_genre,
        cast(users.rating_count as bigint) as rating_count,
        cast(users.active_days as bigint) as active_days,
        cast(coalesce(top_genres.top_genre_ratings, 0) as bigint)
            as top_genre_ratings,
        {{ ratio('users.rating_tenths_sum', '10 * users.rating_count') }}
            as average_rating
    from users
    inner join active_users on users.user_id = active_users.user_id
    left join top_genres on users.user_id = top_genres.user_id
)

select * from final
