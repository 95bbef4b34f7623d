with movies as (
    select * from {{ ref('int_movies_detailed') }}
),

ratings as (
    select * from {{ ref('int_ratings_summed_by_movie') }}
),

numbers as (
    {{ dbt.generate_series(var('last_release_year')) }}
),

summed as (
    select
        movies.release_year,
        count(*) as movies_released,
        sum(ratings.rating_count) as rating_count,
        {{ weighted_avg(
            'ratings.rating_tenths_sum', 'ratings.rating_count', units=10
        ) }} as average_rating
    from movies
    left join ratings on movies.movie_id = ratings.movie_id
    where movies.release_year is not null
    group by movies.release_year
),

bounds as (
    select
        min(release_year) as first_year,
        max(release_year) as last_year
    from summed
),

years as (
    select cast(numbers.generated_number as integer) as release_year
    from numbers
    inner join bounds
        on
            numbers.generated_number >= bounds.first_year
            and numbers.generated_number <= bounds.last_year
),

final as (
    select
        years.release_year,
        summed.average_rating,
        cast(coalesce(summed.movies_released, 0) as bigint)
            as movies_released,
        cast(coalesce(summed.rating_count, 0) as bigint) as rating_count,
        years.release_year - mod(years.release_year, 10) as decade
    from years
    left join summed on years.release_year = summed.release_year
)

select * from final
