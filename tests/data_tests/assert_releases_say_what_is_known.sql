with releases as (
    select * from {{ ref('mart_movie_releases') }}
),

movies as (
    select * from {{ ref('dim_movies') }}
),

release_dates as (
    select * from {{ ref('movie_release_dates') }}
),

expected as (
    select
        movies.movie_id,
        release_dates.release_date,
        case
            when release_dates.imdb_id is not null then 'date'
            when movies.release_year is null then 'unknown'
            else 'year'
        end as release_info
    from movies
    left join release_dates on movies.imdb_id = release_dates.imdb_id
    where not movies.is_inferred and not movies.is_deleted
),

wrong as (
    select
        releases.movie_id,
        releases.release_info,
        expected.movie_id as expected_movie_id
    from expected
    full outer join releases on expected.movie_id = releases.movie_id
    where
        expected.movie_id is null
        or releases.movie_id is null
        or expected.release_date is distinct from releases.release_date
        or releases.release_info != expected.release_info
)

select * from wrong
