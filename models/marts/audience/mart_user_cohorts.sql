with months as (
    select * from {{ ref('int_months_listed') }}
),

user_months as (
    select * from {{ ref('int_user_months_summed') }}
),

user_cohorts as (
    select
        user_id,
        month,
        min(month) over (partition by user_id) as cohort_month
    from user_months
),

activity as (
    select
        cohort_month,
        month,
        count(*) as active_users
    from user_cohorts
    group by cohort_month, month
),

cohorts as (
    select
        cohort_month,
        active_users as cohort_users
    from activity
    where month = cohort_month
),

completed as (
    select
        cohorts.cohort_month,
        cohorts.cohort_users,
        {{ dbt.datediff('cohorts.cohort_month', 'months.month', 'month') }}
            as months_since,
        coalesce(activity.active_users, 0) as active_users
    from cohorts
    inner join months on cohorts.cohort_month <= months.month
    left join activity
        on
            cohorts.cohort_month = activity.cohort_month
            and months.month = activity.month
),

final as (
    select
        cohort_month,
        cast(months_since as bigint) as months_since,
        cast(cohort_users as bigint) as cohort_users,
        cast(active_users as bigint) as active_users,
        {{ ratio('active_users', 'cohort_users') }} as retention
    from completed
)

select * from final
