with trends as (
    select * from {{ ref('mart_release_trends') }}
),

years as (
    select
        release_year,
        movies_released,
        rating_count,
        average_rating,
        movies_released - lag(movies_released) over (order by release_year)
            as more_than_the_year_before,
        sum(movies_released) over (partition by decade) as movies_of_decade
    from trends
)

select * from years
