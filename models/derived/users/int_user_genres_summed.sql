{{ config(materialized='table') }}

with ratings as (
    select * from {{ ref('fct_ratings') }}
),

movie_genres as (
    select * from {{ ref('bridge_movies_genres') }}
),

summed as (
    select
        ratings.user_id,
        movie_genres.genre,
        count(*) as rating_count,
        sum({{ tenths('ratings.rating') }}) as rating_tenths_sum
    from ratings
    inner join movie_genres on ratings.movie_id = movie_genres.movie_id
    group by ratings.user_id, movie_genres.genre
)

select * from summed
