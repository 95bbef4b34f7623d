{{ config(materialized='table') }}

with staged_movies as (
    select * from {{ ref('stg_movielens__movies') }}
),

staged_links as (
    select * from {{ ref('stg_movielens__links') }}
),

links as (
    select * from {{ ref('int_links_deduplicated') }}
),

movies as (
    select * from {{ ref('int_movies_detailed') }}
),

inferred as (
    select * from {{ ref('int_movies_inferred') }}
),

marked_movies as (
    select {{ is_repeated(['movie_id']) }} as is_duplicate
    from staged_movies
),

-- Deleted movies that nothing refers to are history, and in no file.
in_use as (
    select movie_id
    from movies
    union all
    select movie_id
    from inferred
),

marked_links as (
    select {{ is_repeated(['movie_id']) }} as is_duplicate
    from staged_links
),

followed_links as (
    select
        movies.movie_id is null as is_orphan,
        links.imdb_id is null and links.tmdb_id is null as is_blank
    from links
    left join movies on links.movie_id = movies.movie_id
),

reconciled as (
    {{ counted_by_reason('movies', [
        ['staging', 'rows', 'staged_movies', 'true'],
        ['mart', 'duplicate', 'marked_movies', 'is_duplicate'],
        ['mart', 'inferred', 'inferred', 'true'],
        ['mart', 'rows', 'in_use', 'true'],
    ]) }}
    union all
    {{ counted_by_reason('links', [
        ['staging', 'rows', 'staged_links', 'true'],
        ['mart', 'duplicate', 'marked_links', 'is_duplicate'],
        ['mart', 'orphan', 'followed_links', 'is_orphan'],
        ['mart', 'blank', 'followed_links', 'is_blank and not is_orphan'],
        ['mart', 'rows', 'movies', 'coalesce(imdb_id, tmdb_id) is not null'],
    ]) }}
)

select * from reconciled
