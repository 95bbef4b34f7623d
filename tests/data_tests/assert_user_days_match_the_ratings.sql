with user_days as (
    select * from {{ ref('int_user_days_summed') }}
),

ratings as (
    select * from {{ ref('fct_ratings') }}
),

expected as (
    select
        user_id,
        rated_date,
        count(*) as rating_count,
        sum({{ tenths('rating') }}) as rating_tenths_sum,
        min(rated_at) as first_rated_at,
        max(rated_at) as last_rated_at
    from ratings
    group by user_id, rated_date
),

differing as (
    select
        expected.user_id as expected_user_id,
        expected.rated_date as expected_date,
        user_days.user_id,
        user_days.rated_date
    from expected
    full outer join user_days
        on
            expected.user_id = user_days.user_id
            and expected.rated_date = user_days.rated_date
            and expected.rating_count = user_days.rating_count
            and expected.rating_tenths_sum = user_days.rating_tenths_sum
            and expected.first_rated_at = user_days.first_rated_at
            and expected.last_rated_at = user_days.last_rated_at
    where expected.user_id is null or user_days.user_id is null
)

select * from differing
