with links as (
    select * from {{ ref('stg_movielens__links') }}
),

deduplicated as (
    select
        movie_id,
        imdb_id,
        tmdb_id
    from links
    qualify
        row_number() over (
            partition by movie_id
            order by file desc, record_number desc
        ) = 1
)

select * from deduplicated
