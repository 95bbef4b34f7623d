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
    where {{ is_live() }}
)

select * from live
