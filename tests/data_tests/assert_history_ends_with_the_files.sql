{% set end_of_time = "cast('9999-12-31' as timestamp)" %}

with known as (
    select * from {{ as_of(ref('dim_movies_history'), end_of_time) }}
),

delivered as (
    select * from {{ ref('int_movies_deduplicated') }}
),

differing as (
    select
        known.title,
        delivered.title as delivered_title,
        coalesce(known.movie_id, delivered.movie_id) as movie_id
    from known
    full outer join delivered on known.movie_id = delivered.movie_id
    where
        (delivered.movie_id is null) != coalesce(known.is_deleted, false)
        or known.movie_id is null
        or known.title != delivered.title
        or known.genres != delivered.genres
)

select * from differing
