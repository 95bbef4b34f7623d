with users as (
    select * from {{ ref('dim_users') }}
),

levels as (
    select * from {{ ref('engagement_levels') }}
),

percentiles as (
    select
        user_id,
        engagement_level,
        percent_rank() over (order by rating_count) as percentile
    from users
    where rating_count > 0
    union all
    select
        user_id,
        engagement_level,
        null as percentile
    from users
    where rating_count = 0
),

-- The highest level that a user reaches is the user's level.
reached as (
    select
        percentiles.user_id,
        max(levels.min_percentile) as min_percentile
    from percentiles
    inner join levels on percentiles.percentile >= levels.min_percentile
    group by percentiles.user_id
),

expected as (
    select
        reached.user_id,
        levels.level as engagement_level
    from reached
    inner join levels on reached.min_percentile = levels.min_percentile
),

wrong as (
    select percentiles.user_id
    from percentiles
    left join expected on percentiles.user_id = expected.user_id
    where
        percentiles.engagement_level
        is distinct from expected.engagement_level
)

select * from wrong
