with source as (
    select * from {{ source('movielens', 'ratings') }}
),

removed as (
    select
        user_id,
        movie_id,
        removed_load_id
    from source
    where removed_load_id is not null
)

select * from removed
