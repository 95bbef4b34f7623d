with engaged_users as (
    select * from {{ ref('int_users_engaged') }}
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

-- Users with another genre that ranks above their stated top genre.
better_genres as (
    select engaged_users.user_id
    from engaged_users
    inner join user_totals on engaged_users.user_id = user_totals.user_id
    where
        engaged_users.top_genre is null
        or user_totals.rating_count > engaged_users.top_genre_ratings
        or (
            user_totals.rating_count = engaged_users.top_genre_ratings
            and user_totals.genre < engaged_users.top_genre
        )
    group by engaged_users.user_id
),

wrong as (
    select engaged_users.user_id
    from engaged_users
    left join days on engaged_users.user_id = days.user_id
    left join user_totals
        on
            engaged_users.user_id = user_totals.user_id
            and engaged_users.top_genre = user_totals.genre
    left join better_genres
        on engaged_users.user_id = better_genres.user_id
    where
        days.active_days is distinct from engaged_users.active_days
        or coalesce(user_totals.rating_count, 0)
        != engaged_users.top_genre_ratings
        or better_genres.user_id is not null
)

select * from wrong
