with movies as (
    select * from {{ ref('dim_movies') }}
),

current_movies as (
    select * from {{ ref('int_movies_detailed') }}
),

inferred_movies as (
    select * from {{ ref('int_movies_inferred') }}
),

-- In both directions: what the files have or mention, and what else is deleted.
wrong as (
    select
        movies.movie_id,
        current_movies.movie_id as current_movie_id,
        inferred_movies.movie_id as inferred_movie_id
    from movies
    full outer join current_movies
        on movies.movie_id = current_movies.movie_id
    full outer join inferred_movies
        on movies.movie_id = inferred_movies.movie_id
    where
        movies.movie_id is null
        or (movies.is_deleted or movies.is_inferred)
        != (current_movies.movie_id is null)
        or (movies.is_inferred and inferred_movies.movie_id is null)
)

select * from wrong
