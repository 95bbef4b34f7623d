with months as (
    select * from {{ ref('int_months_listed') }}
),

user_months as (
    select * from {{ ref('int_user_months_summed') }}
),

ratings as (
    select * from {{ ref('fct_ratings') }}
),

activity as (
    select
        month,
        count(*) as active_users,
        sum(rating_count) as rating_count,
        {{ weighted_avg('rating_tenths_sum', 'rating_count', units=10) }}
            as average_rating
    from user_months
    group by month
),

first_months as (
    select
        user_id,
        min(month) as month
    from user_months
    group by user_id
),

arrivals as (
    select
        month,
        count(*) as new_users
    from first_months
    group by month
),

movies as (
    select
        cast({{ dbt.date_trunc('month', 'rated_date') }} as date) as month,
        count(distinct movie_id) as movies_rated
    from ratings
    group by cast({{ dbt.date_trunc('month', 'rated_date') }} as date)
),

final as (
    select
        months.month,
        activity.average_rating,
        cast(coalesce(activity.rating_count, 0) as bigint) as rating_count,
        cast(coalesce(activity.active_users, 0) as bigint) as active_users,
        cast(coalesce(arrivals.new_users, 0) as bigint) as new_users,
        cast(coalesce(movies.movies_rated, 0) as bigint) as movies_rated
    from months
    left join activity on months.month = activity.month
    left join arrivals on months.month = arrivals.month
    left join movies on months.month = movies.month
)

select * from final
