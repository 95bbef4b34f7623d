with source as (
    select * from {{ source('movielens', 'tags') }}
),

typed as (
    select
        user_id,
        movie_id,
        tag,
        {{ epoch_to_timestamp('tagged_epoch') }} as tagged_at
    from source
    where {{ is_live() }}
)

select * from typed
