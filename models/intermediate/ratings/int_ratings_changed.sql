with ratings as (
    select * from {{ ref('stg_movielens__ratings') }}
),

removed_ratings as (
    select * from {{ ref('stg_movielens__removed_ratings') }}
),

changes as (
    select
        user_id,
        movie_id,
        rating,
        rated_at,
        load_id,
        false as is_removal
    from ratings
    union all
    select
        user_id,
        movie_id,
        null as rating,
        null as rated_at,
        removed_load_id as load_id,
        true as is_removal
    from removed_ratings
)

select * from changes
