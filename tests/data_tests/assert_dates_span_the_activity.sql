with dates as (
    select * from {{ ref('dim_dates') }}
),

users as (
    select * from {{ ref('dim_users') }}
),

span as (
    select
        min(date_day) as first_day,
        max(date_day) as last_day,
        count(*) as day_count,
        min(iso_day_of_week) as least_day_of_week,
        max(iso_day_of_week) as greatest_day_of_week
    from dates
),

activity as (
    select
        min(cast(first_active_at as date)) as first_day,
        max(cast(last_active_at as date)) as last_day
    from users
),

differing as (
    select span.*
    from span
    cross join activity
    where
        span.first_day is distinct from activity.first_day
        or span.last_day is distinct from activity.last_day
        or span.day_count - 1
        != {{ dbt.datediff('span.first_day', 'span.last_day', 'day') }}
        or span.least_day_of_week < 1
        or span.greatest_day_of_week > 7
)

select * from differing
