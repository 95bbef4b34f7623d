with users as (
    select * from {{ ref('dim_users') }}
),

percentiles as (
    select
        user_id,
        engagement_level,
        percent_rank() over (order by rating_count) as percentile
    from users
    where rating_count > 0
),

-- The cut-offs as documented, against those of the seed.
levelled as (
    select
        user_id,
        engagement_level,
        case
            when percentile >= 0.95 then 'Super-High'
            when percentile >= 0.66 then 'High'
            when percentile >= 0.33 then 'Medium'
            else 'Low'
        end as documented_level
    from percentiles
    union all
    select
        user_id,
        engagement_level,
        null as documented_level
    from users
    where rating_count = 0
),

wrong as (
    select *
    from levelled
    where engagement_level is distinct from documented_level
)

select * from wrong
