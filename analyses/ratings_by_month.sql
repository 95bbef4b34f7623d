with trends as (
    select * from {{ ref('mart_monthly_trends') }}
),

months as (
    select
        month,
        rating_count,
        average_rating,
        active_users,
        new_users,
        movies_rated,
        sum(rating_count) over (
            order by month
            rows between unbounded preceding and current row
        ) as ratings_so_far
    from trends
)

select * from months
