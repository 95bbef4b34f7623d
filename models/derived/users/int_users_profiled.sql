with user_days as (
    select * from {{ ref('int_user_days_summed') }}
),

profiled as (
    select
        user_id,
        sum(rating_count) as rating_count,
        sum(rating_tenths_sum) as rating_tenths_sum,
        count(*) as active_days,
        min(first_rated_at) as first_rated_at,
        max(last_rated_at) as last_rated_at
    from user_days
    group by user_id
)

select * from profiled
