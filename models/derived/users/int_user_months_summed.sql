with user_days as (
    select * from {{ ref('int_user_days_summed') }}
),

monthly as (
    select
        user_id,
        rating_count,
        rating_tenths_sum,
        cast({{ dbt.date_trunc('month', 'rated_date') }} as date) as month
    from user_days
),

summed as (
    select
        user_id,
        month,
        sum(rating_count) as rating_count,
        sum(rating_tenths_sum) as rating_tenths_sum
    from monthly
    group by user_id, month
)

select * from summed
