with movies as (
    select * from {{ ref('dim_movies') }}
),

current_movies as (
    select * from {{ ref('int_movies_detailed') }}
),

ratings as (
    select * from {{ ref('int_ratings_summed_by_movie') }}
),

tags as (
    select * from {{ ref('fct_tags') }}
),

mentioned_movies as (
    select movie_id
    from ratings
    union
    select movie_id
    from tags
),

-- All movies that the files have or mention are there; any other is deleted.
wrong as (
    select
        movies.movie_id,
        movies.title,
        current_movies.movie_id as current_movie_id,
        mentioned_movies.movie_id as mentioned_movie_id
    from movies
    full outer join current_movies
        on movies.movie_id = current_movies.movie_id
    full outer join mentioned_movies
        on movies.movie_id = mentioned_movies.movie_id
    where
        movies.movie_id is null
        or (movies.is_deleted or movies.is_inferred)
        != (current_movies.movie_id is null)
        or (movies.is_inferred and mentioned_movies.movie_id is null)
        or movies.is_inferred != (movies.title is null)
        or movies.title != {{ trim_white('movies.title') }}
        or movies.title_without_year
        != {{ trim_white('movies.title_without_year') }}
)

select * from wrong
