with movies as (
    select * from {{ ref('dim_movies') }}
),

ratings as (
    select * from {{ ref('int_ratings_summed_by_movie') }}
),

tags as (
    select * from {{ ref('fct_tags') }}
),

-- That every rated or tagged movie is in dim_movies is what the relation tests
-- hold; here the other direction.
idle as (
    select movies.movie_id
    from movies
    where
        movies.is_inferred
        and not exists (
            select 1
            from ratings
            where ratings.movie_id = movies.movie_id
        )
        and not exists (
            select 1
            from tags
            where tags.movie_id = movies.movie_id
        )
)

select * from idle
