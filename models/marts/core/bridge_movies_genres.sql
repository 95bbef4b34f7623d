with genres as (
    select * from {{ ref('int_genres_exploded') }}
),

final as (
    select
        movie_id,
        genre,
        genre_weight
    from genres
)

select * from final
