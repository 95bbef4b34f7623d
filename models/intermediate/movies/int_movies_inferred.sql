with ratings as (
    select * from {{ ref('stg_movielens__ratings') }}
),

tags as (
    select * from {{ ref('int_tags_normalised') }}
),

movies as (
    select * from {{ ref('int_movies_deduplicated') }}
),

mentioned as (
    select movie_id
    from ratings
    group by movie_id
    union
    select movie_id
    from tags
    where tag_normalised != ''
    group by movie_id
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
