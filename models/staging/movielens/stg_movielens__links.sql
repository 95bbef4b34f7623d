with source as (
    select * from {{ source('movielens', 'links') }}
),

typed as (
    select
        movie_id,
        nullif({{ trim_white('imdb_id') }}, '') as imdb_id,
        nullif({{ trim_white('tmdb_id') }}, '') as tmdb_id,
        file,
        record_number
    from source
    where {{ is_live() }}
)

select * from typed
