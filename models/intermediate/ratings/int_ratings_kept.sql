with ratings as (
    select * from {{ ref('stg_movielens__ratings') }}
),

kept as (
    select
        user_id,
        movie_id,
        rating,
        rated_at,
        load_id
    from ratings
)

select * from kept
