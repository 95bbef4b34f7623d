with ratings as (
    select * from {{ ref('fct_ratings') }}
),

tags as (
    select * from {{ ref('fct_tags') }}
),

numbers as (
    {{ dbt.generate_series(100000) }}
),

active_days as (
    select
        min(rated_date) as first_day,
        max(rated_date) as last_day
    from ratings
    union all
    select
        min(cast(tagged_at as date)) as first_day,
        max(cast(tagged_at as date)) as last_day
    from tags
),

bounds as (
    select
        min(first_day) as first_day,
        max(last_day) as last_day
    from active_days
),

days as (
    select
        cast({{ dbt.dateadd(
            'day', 'cast(numbers.generated_number - 1 as integer)',
            'bounds.first_day'
        ) }} as date) as date_day
    from bounds
    inner join numbers
        on
            numbers.generated_number
            <= {{ dbt.datediff('bounds.first_day', 'bounds.last_day', 'day') }}
            + 1
),

final as (
    select
        date_day,
        cast(extract(year from date_day) as integer) as year,
        cast(extract(quarter from date_day) as integer) as quarter,
        cast(extract(month from date_day) as integer) as month,
        cast(extract(day from date_day) as integer) as day_of_month,
        {{ iso_day_of_week('date_day') }} as iso_day_of_week,
        cast({{ dbt.date_trunc('month', 'date_day') }} as date) as month_start
    from days
)

select * from final
