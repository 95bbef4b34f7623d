with movies as (
    select * from {{ ref('dim_movies') }}
),

wrong as (
    select
        movie_id,
        title
    from movies
    where
        title != {{ trim_white('title') }}
        or title_without_year != {{ trim_white('title_without_year') }}
        or is_inferred != (title is null)
)

select * from wrong
