with cohorts as (
    select * from {{ ref('mart_user_cohorts') }}
),

trends as (
    select * from {{ ref('mart_monthly_trends') }}
),

bounds as (
    select max(month) as last_month
    from trends
),

placed as (
    select
        cohorts.*,
        cast({{ dbt.dateadd(
            'month', 'cohorts.months_since', 'cohorts.cohort_month'
        ) }} as date) as month
    from cohorts
),

active as (
    select
        month,
        sum(active_users) as active_users
    from placed
    group by month
),

wrong_months as (
    select
        trends.month,
        trends.active_users as expected,
        active.active_users as found
    from trends
    full outer join active on trends.month = active.month
    where
        trends.month is null
        or trends.active_users != coalesce(active.active_users, 0)
),

summed as (
    select
        cohort_month,
        count(*) as found_months,
        max(months_since) as last_step,
        min(cohort_users) as least_users,
        max(cohort_users) as most_users,
        max(active_users) as most_active_users,
        max(case when months_since = 0 then active_users end) as first_users
    from cohorts
    group by cohort_month
),

-- Every month with new users is a cohort of exactly these users, with rows up
-- to the last month.
wrong_cohorts as (
    select
        trends.month,
        trends.new_users as expected,
        summed.most_users as found
    from trends
    cross join bounds
    left join summed on trends.month = summed.cohort_month
    where
        trends.new_users != coalesce(summed.first_users, 0)
        or summed.least_users != summed.first_users
        or summed.most_users != summed.first_users
        or summed.most_active_users > summed.first_users
        or summed.found_months != summed.last_step + 1
        or summed.last_step
        != {{ dbt.datediff('trends.month', 'bounds.last_month', 'month') }}
),

wrong as (
    select * from wrong_months
    union all
    select * from wrong_cohorts
)

select * from wrong
