with trends as (
    select * from {{ ref('mart_monthly_trends') }}
),

ratings as (
    select * from {{ ref('fct_ratings') }}
),

users as (
    select * from {{ ref('int_users_profiled') }}
),

steps as (
    select
        *,
        lag(month) over (order by month) as previous_month
    from trends
),

months as (
    select
        cast({{ dbt.date_trunc('month', 'rated_date') }} as date) as month,
        count(*) as rating_count
    from ratings
    group by cast({{ dbt.date_trunc('month', 'rated_date') }} as date)
),

arrivals as (
    select
        cast({{ dbt.date_trunc('month', 'first_rated_at') }} as date) as month,
        count(*) as new_users
    from users
    group by cast({{ dbt.date_trunc('month', 'first_rated_at') }} as date)
),

wrong as (
    select
        months.month as expected_month,
        steps.month
    from months
    full outer join steps on months.month = steps.month
    left join arrivals on steps.month = arrivals.month
    where
        steps.month is null
        or {{ dbt.datediff('steps.previous_month', 'steps.month', 'month') }}
        != 1
        or coalesce(months.rating_count, 0) != steps.rating_count
        or coalesce(arrivals.new_users, 0) != steps.new_users
        or steps.new_users > steps.active_users
        or steps.active_users > steps.rating_count
        or steps.movies_rated > steps.rating_count
        or (steps.rating_count = 0) != (steps.movies_rated = 0)
        or (steps.rating_count = 0) != (steps.active_users = 0)
        or (steps.rating_count = 0) != (steps.average_rating is null)
)

select * from wrong
