with dates as (
    select * from {{ ref('dim_dates') }}
),

steps as (
    select
        date_day,
        lag(date_day) over (order by date_day) as previous_day
    from dates
),

gaps as (
    select
        date_day,
        previous_day
    from steps
    where cast({{ dbt.dateadd('day', 1, 'previous_day') }} as date) != date_day
)

select * from gaps
