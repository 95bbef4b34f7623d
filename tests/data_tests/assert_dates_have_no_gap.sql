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
    where {{ dbt.datediff('previous_day', 'date_day', 'day') }} != 1
)

select * from gaps
