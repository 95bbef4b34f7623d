with movies as (
    select * from {{ ref('dim_movies') }}
),

genres as (
    select * from {{ ref('int_genres_concatenated') }}
),

detailed as (
    select
        movies.movie_id,
        movies.title,
        movies.release_year,
        movies.imdb_id,
        genres.genres_string
    from movies
    left join genres on movies.movie_id = genres.movie_id
    where not movies.is_inferred and not movies.is_deleted
)

select * from detailed
