with user_months as (
    select * from {{ ref('int_user_months_summed') }}
),

numbers as (
    {{ dbt.generate_series(10000) }}
),

bounds as (
    select
        min(month) as first_month,
        max(month) as last_month
    from user_months
),

listed as (
    select
        cast({{ dbt.dateadd(
            'month', 'cast(numbers.generated_number - 1 as integer)',
            'bounds.first_month'
        ) }} as date) as month
    from bounds
    inner join numbers
        on
            numbers.generated_number
            <= {{ dbt.datediff(
                'bounds.first_month', 'bounds.last_month', 'month'
            ) }}
            + 1
)

select * from listed
