{{ config(materialized='table') }}

with ratings as (
    select * from {{ ref('fct_ratings') }}
),

movies as (
    select * from {{ ref('int_movies_detailed') }}
),

likes as (
    select
        user_id,
        movie_id,
        rated_at
    from ratings
    where rating >= 4
),

liked_movies as (
    select
        likes.movie_id,
        count(*) as like_count
    from likes
    inner join movies on likes.movie_id = movies.movie_id
    group by likes.movie_id
),

numbered_movies as (
    select
        movie_id,
        row_number() over (order by like_count desc, movie_id asc)
            as movie_number
    from liked_movies
),

most_liked_movies as (
    select
        movie_id,
        cast(movie_number as integer) as movie_number
    from numbered_movies
    where movie_number <= {{ var('neighbour_movies') }}
),

limited as (
    select
        likes.user_id,
        likes.movie_id,
        most_liked_movies.movie_number
    from likes
    inner join most_liked_movies
        on likes.movie_id = most_liked_movies.movie_id
    {{ top_n(
        var('neighbour_likes'),
        ['likes.rated_at desc', 'likes.movie_id asc'], ['likes.user_id']
    ) }}
)

select * from limited
