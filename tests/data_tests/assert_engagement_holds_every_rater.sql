with engagement as (
    select * from {{ ref('mart_user_engagement') }}
),

users as (
    select * from {{ ref('dim_users') }}
),

user_days as (
    select * from {{ ref('int_user_days_summed') }}
),

user_genres as (
    select * from {{ ref('int_user_genres_summed') }}
),

user_totals as (
    select
        user_id,
        genre,
        sum(rating_count) as rating_count
    from user_genres
    group by user_id, genre
),

days as (
    select
        user_id,
        count(*) as active_days
    from user_days
    group by user_id
),

-- A genre that would be the top one if the stated one were not.
better_genres as (
    select engagement.user_id
    from engagement
    inner join user_totals on engagement.user_id = user_totals.user_id
    where
        engagement.top_genre is null
        or user_totals.rating_count > engagement.top_genre_ratings
        or (
            user_totals.rating_count = engagement.top_genre_ratings
            and user_totals.genre < engagement.top_genre
        )
    group by engagement.user_id
),

wrong as (
    select
        users.user_id as expected_user_id,
        engagement.user_id
    from users
    full outer join engagement on users.user_id = engagement.user_id
    left join days on engagement.user_id = days.user_id
    left join user_totals
        on
            engagement.user_id = user_totals.user_id
            and engagement.top_genre = user_totals.genre
    left join better_genres on engagement.user_id = better_genres.user_id
    where
        users.user_id is null
        or (users.rating_count > 0) != (engagement.user_id is not null)
        or users.rating_count != engagement.rating_count
        or users.tag_count != engagement.tag_count
        or users.engagement_level != engagement.engagement_level
        or engagement.engagement_percentile < 0
        or engagement.engagement_percentile > 1
        or days.active_days is distinct from engagement.active_days
        or coalesce(user_totals.rating_count, 0)
        != engagement.top_genre_ratings
        or better_genres.user_id is not null
)

select * from wrong
