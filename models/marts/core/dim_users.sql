with ratings as (
    select * from {{ ref('fct_ratings') }}
),

tags as (
    select * from {{ ref('fct_tags') }}
),

levels as (
    select * from {{ ref('engagement_levels') }}
),

activities as (
    select
        user_id,
        rated_at as active_at,
        1 as ratings,
        0 as tags
    from ratings
    union all
    select
        user_id,
        tagged_at as active_at,
        0 as ratings,
        1 as tags
    from tags
),

users as (
    select
        user_id,
        cast(sum(ratings) as bigint) as rating_count,
        cast(sum(tags) as bigint) as tag_count,
        min(active_at) as first_active_at,
        max(active_at) as last_active_at
    from activities
    group by user_id
),

raters as (
    select *
    from users
    where rating_count > 0
),

levelled as (
    {{ levelled_users('raters', 'levels') }}
),

final as (
    select
        users.user_id,
        users.rating_count,
        users.tag_count,
        users.first_active_at,
        users.last_active_at,
        levelled.engagement_level
    from users
    left join levelled on users.user_id = levelled.user_id
)

select * from final
