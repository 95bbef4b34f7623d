with source as (
    select * from {{ source('movielens', 'ratings') }}
),

typed as (
    select
        user_id,
        movie_id,
        rating,
        {{ epoch_to_timestamp('rated_epoch') }} as rated_at
    from source
    where {{ is_live() }}
),

early as (
    select *
    from typed
    where not {{ is_kept_moment('rated_at') }}
)

select * from early
