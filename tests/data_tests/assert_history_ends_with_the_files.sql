{% set newest_change = "(select max(valid_from) from versions)" %}

with versions as (
    select * from {{ ref('dim_movies_history') }}
),

known as (
    select * from {{ as_of(ref('dim_movies_history'), newest_change) }}
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
