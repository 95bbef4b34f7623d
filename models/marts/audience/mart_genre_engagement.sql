with users as (
    select * from {{ ref('int_users_engaged') }}
),

user_genres as (
    select * from {{ ref('int_user_genres_summed') }}
),

final as (
    select
        users.engagement_level,
        user_genres.genre,
        count(distinct user_genres.user_id) as users,
        cast(sum(user_genres.rating_count) as bigint) as rating_count,
        {{ weighted_avg(
            'user_genres.rating_tenths_sum', 'user_genres.rating_count',
            units=10
        ) }} as average_rating
    from user_genres
    inner join users on user_genres.user_id = users.user_id
    group by users.engagement_level, user_genres.genre
)

select * from final
