{{ config(materialized='table') }}

with users as (
    select * from {{ ref('int_users_profiled') }}
),

levels as (
    select * from {{ ref('engagement_levels') }}
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
        rating_tenths_sum,
        active_days,
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
    {{ top_n(
        1, ['levels.min_percentile desc', 'levels.level asc'],
        ['percentiles.user_id']
    ) }}
)

select * from levelled
