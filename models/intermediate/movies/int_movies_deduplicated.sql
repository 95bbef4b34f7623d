with movies as (
    select * from {{ ref('stg_movielens__movies') }}
),

deduplicated as (
    select
        movie_id,
        {{ trim_white('title') }} as title,
        genres
    from movies
    qualify
        row_number() over (
            partition by movie_id
            order by file desc, record_number desc
        ) = 1
)

select * from deduplicated
