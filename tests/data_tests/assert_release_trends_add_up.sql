with trends as (
    select * from {{ ref('mart_release_trends') }}
),

releases as (
    select * from {{ ref('mart_movie_releases') }}
),

performance as (
    select * from {{ ref('mart_movie_performance') }}
),

dated as (
    select
        count(*) as movies,
        min(release_year) as first_year,
        max(release_year) as last_year
    from releases
    where release_year is not null
),

rated as (
    select coalesce(sum(rating_count), 0) as rating_count
    from performance
    where release_year is not null
),

totals as (
    select
        count(*) as years,
        coalesce(sum(movies_released), 0) as movies,
        coalesce(sum(rating_count), 0) as rating_count,
        min(release_year) as first_year,
        max(release_year) as last_year,
        coalesce(
            sum(
                case
                    when (rating_count = 0) != (average_rating is null) then 1
                    when decade > release_year then 1
                    when decade + 9 < release_year then 1
                    when mod(decade, 10) != 0 then 1
                    else 0
                end
            ),
            0
        ) as wrong_years
    from trends
),

wrong as (
    select totals.*
    from totals
    cross join dated
    cross join rated
    where
        totals.movies != dated.movies
        or totals.rating_count != rated.rating_count
        or totals.first_year is distinct from dated.first_year
        or totals.last_year is distinct from dated.last_year
        or totals.years != coalesce(dated.last_year - dated.first_year + 1, 0)
        or totals.wrong_years > 0
)

select * from wrong
