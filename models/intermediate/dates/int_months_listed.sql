with dates as (
    select * from {{ ref('dim_dates') }}
),

user_months as (
    select * from {{ ref('int_user_months_summed') }}
),

bounds as (
    select
        min(month) as first_month,
        max(month) as last_month
    from user_months
),

listed as (
    select dates.month_start as month
    from dates
    inner join bounds
        on
            dates.month_start >= bounds.first_month
            and dates.month_start <= bounds.last_month
    group by dates.month_start
)

select * from listed
