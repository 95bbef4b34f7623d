with ratings as (
    select * from {{ ref('fct_ratings') }}
),

movie_genres as (
    select * from {{ ref('int_genres_exploded') }}
),

counted as (
    select
        movie_genres.genre,
        count(distinct ratings.user_id) as raters
    from ratings
    inner join movie_genres on ratings.movie_id = movie_genres.movie_id
    group by movie_genres.genre
)

select * from counted
