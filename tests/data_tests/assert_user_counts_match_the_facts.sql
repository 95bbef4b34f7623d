with users as (
    select * from {{ ref('dim_users') }}
),

ratings as (
    select * from {{ ref('fct_ratings') }}
),

tags as (
    select * from {{ ref('fct_tags') }}
),

counted as (
    select
        sum(rating_count) as ratings,
        sum(tag_count) as tags
    from users
),

idle as (
    select count(*) as idle_users
    from users
    where
        rating_count < 0
        or tag_count < 0
        or rating_count + tag_count = 0
),

wrong as (
    select
        counted.ratings,
        counted.tags
    from counted
    cross join idle
    where
        coalesce(counted.ratings, 0) != (select count(*) from ratings)
        or coalesce(counted.tags, 0) != (select count(*) from tags)
        or idle.idle_users > 0
)

select * from wrong
