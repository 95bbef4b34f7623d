with ratings as (
    select * from {{ ref('fct_ratings') }}
),

levels as (
    select * from {{ ref('engagement_levels') }}
),

users as (
    select
        user_id,
        count(*) as rating_count,
        min(rated_at) as first_rated_at,
        max(rated_at) as last_rated_at
    from ratings
    group by user_id
),

ranked as (
    select
        *,
        rank() over (order by rating_count) - 1 as users_below,
        count(*) over () - 1 as other_users
    from users
),

percentiles as (
    select
        user_id,
        rating_count,
        first_rated_at,
        last_rated_at,
        coalesce({{ ratio('users_below', 'other_users') }}, 0)
            as engagement_percentile
    from ranked
),

levelled as (
    select
        percentiles.*,
        levels.level as engagement_level
    from percentiles
    left join levels
        on percentiles.engagement_percentile >= levels.min_percentile
    qualify
        row_number() over (
            partition by percentiles.user_id
            order by levels.min_percentile desc, levels.level asc
        ) = 1
)

select * from levelled
