with movies as (
    select * from {{ ref('int_movies_detailed') }}
),

release_dates as (
    select * from {{ ref('movie_release_dates') }}
),

final as (
    select
        movies.movie_id,
        movies.title,
        movies.release_year,
        release_dates.release_date,
        case
            when release_dates.release_date is not null then 'date'
            when movies.release_year is not null then 'year'
            else 'unknown'
        end as release_info
    from movies
    left join release_dates on movies.imdb_id = release_dates.imdb_id
)

select * from final
