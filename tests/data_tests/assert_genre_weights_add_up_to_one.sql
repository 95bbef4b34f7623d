with genres as (
    select * from {{ ref('bridge_movies_genres') }}
),

movies as (
    select * from {{ ref('dim_movies') }}
),

weights as (
    select
        movie_id,
        count(*) as genre_count,
        sum(genre_weight) as genre_weight,
        min(genre_weight) as least_weight
    from genres
    group by movie_id
),

-- All movies of the files have weights, and no others do.
unbalanced as (
    select
        movies.movie_id,
        weights.genre_weight
    from movies
    full outer join weights on movies.movie_id = weights.movie_id
    where
        (movies.is_inferred or movies.is_deleted)
        != (weights.movie_id is null)
        or movies.movie_id is null
        or abs(weights.genre_weight - 1) > 1e-9
        or weights.least_weight <= 0
        or weights.genre_count != movies.genre_count
)

select * from unbalanced
