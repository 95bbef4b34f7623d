{{ config(materialized='table') }}

with ratings as (
    select * from {{ ref('fct_ratings') }}
),

movie_genres as (
    select * from {{ ref('int_genres_exploded') }}
),

summed as (
    select
        ratings.user_id,
        movie_genres.genre,
        cast(extract(year from ratings.rated_date) as integer) as rating_year,
        count(*) as rating_count,
        sum({{ tenths('ratings.rating') }}) as rating_tenths_sum,
        sum(movie_genres.weight_units) as weight_units_sum,
        sum({{ tenths('ratings.rating') }} * movie_genres.weight_units)
            as weighted_tenths_sum
    from ratings
    inner join movie_genres on ratings.movie_id = movie_genres.movie_id
    group by
        ratings.user_id,
        movie_genres.genre,
        cast(extract(year from ratings.rated_date) as integer)
)

select * from summed
