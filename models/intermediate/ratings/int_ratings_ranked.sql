with ratings as (
    select * from {{ ref('stg_movielens__ratings') }}
),

ranked as (
    select
        user_id,
        movie_id,
        rated_epoch * 100 + {{ tenths('rating') }} as recency_rank,
        load_id
    from ratings
)

select * from ranked
