with engagement as (
    select * from {{ ref('mart_user_engagement') }}
),

users as (
    select * from {{ ref('dim_users') }}
),

engaged_users as (
    select * from {{ ref('int_users_engaged') }}
),

wrong as (
    select
        users.user_id as expected_user_id,
        engagement.user_id
    from users
    full outer join engagement on users.user_id = engagement.user_id
    left join engaged_users on engagement.user_id = engaged_users.user_id
    where
        users.user_id is null
        or (users.rating_count > 0) != (engagement.user_id is not null)
        or users.rating_count != engagement.rating_count
        or users.tag_count != engagement.tag_count
        or users.engagement_level != engagement.engagement_level
        or engagement.engagement_percentile < 0
        or engagement.engagement_percentile > 1
        or engagement.active_days != engaged_users.active_days
        or engagement.top_genre is distinct from engaged_users.top_genre
        or engagement.top_genre_ratings != engaged_users.top_genre_ratings
)

select * from wrong
