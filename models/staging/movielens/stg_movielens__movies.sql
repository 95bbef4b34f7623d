with source as (
    select * from {{ source('movielens', 'movies') }}
),

live as (
    select
        movie_id,
        title,
        genres,
        file,
        record_number
    from source
    where removed_load_id is null
)

select * from live
