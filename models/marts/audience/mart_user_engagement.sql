with users as (
    select * from {{ ref('int_users_profiled') }}
),

user_genres as (
    select * from {{ ref('int_user_genres_summed') }}
),

active_users as (
    select * from {{ ref('dim_users') }}
),

ranked as (
    select
        *,
        {{ share_below('rating_count') }} as engagement_percentile
    from users
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

final as (
    select
        ranked.user_id,
        active_users.tag_count,
        ranked.first_rated_at,
        ranked.last_rated_at,
        ranked.engagement_percentile,
        active_users.engagement_level,
        top_genres.top_genre,
        cast(ranked.rating_count as bigint) as rating_count,
        cast(ranked.active_days as bigint) as active_days,
        cast(coalesce(top_genres.top_genre_ratings, 0) as bigint)
            as top_genre_ratings,
        {{ ratio('ranked.rating_tenths_sum', '10 * ranked.rating_count') }}
            as average_rating
    from ranked
    inner join active_users on ranked.user_id = active_users.user_id
    left join top_genres on ranked.user_id = top_genres.user_id
)

select * from final
