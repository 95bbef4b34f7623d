{{ config(materialized='table') }}

with ratings as (
    select * from {{ ref('int_ratings_changed') }}
    where not is_removal
),

tags as (
    select * from {{ ref('int_tags_normalised') }}
    where tag_normalised != ''
),

movies as (
    select * from {{ ref('int_movies_detailed') }}
),

mentioned as (
    select movie_id
    from ratings
    union
    select movie_id
    from tags
),

inferred as (
    select mentioned.movie_id
    from mentioned
    where not exists (
        select 1
        from movies
        where movies.movie_id = mentioned.movie_id
    )
)

select * from inferred
