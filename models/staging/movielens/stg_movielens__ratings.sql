with source as (
    select * from {{ source('movielens', 'ratings') }}
),

typed as (
    select
        user_id,
        movie_id,
        rating,
        rated_epoch,
        {{ epoch_to_timestamp('rated_epoch') }} as rated_at,
        load_id
    from source
    where {{ is_live() }}
),

kept as (
    select *
    from typed
    where {{ is_kept_moment('rated_at') }}
)

select * from kept
