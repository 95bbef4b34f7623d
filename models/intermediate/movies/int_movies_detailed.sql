{{ config(materialized='table') }}

with movies as (
    select * from {{ ref('int_movies_parsed') }}
),

genres as (
    select * from {{ ref('int_genres_concatenated') }}
),

links as (
    select * from {{ ref('int_links_deduplicated') }}
),

detailed as (
    select
        movies.movie_id,
        movies.title,
        movies.title_without_year,
        movies.release_year,
        movies.genres,
        genres.genres_string,
        genres.genre_count,
        links.imdb_id,
        links.tmdb_id
    from movies
    left join genres on movies.movie_id = genres.movie_id
    left join links on movies.movie_id = links.movie_id
)

select * from detailed
