with engaged_users as (
    select * from {{ ref('int_users_engaged') }}
),

users as (
    select * from {{ ref('dim_users') }}
),

final as (
    select
        engaged_users.user_id,
        users.tag_count,
        engaged_users.first_rated_at,
        engaged_users.last_rated_at,
        engaged_users.engagement_percentile,
        engaged_users.engagement_level,
        engaged_users.top_genre,
        cast(engaged_users.rating_count as bigint) as rating_count,
        cast(engaged_users.active_days as bigint) as active_days,
        cast(engaged_users.top_genre_ratings as bigint) as top_genre_ratings,
        {{ ratio(
            'engaged_users.rating_tenths_sum',
            '10 * engaged_users.rating_count'
        ) }} as average_rating
    from engaged_users
    inner join users on engaged_users.user_id = users.user_id
)

select * from final
