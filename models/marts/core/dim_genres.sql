with seeded_genres as (
    select * from {{ ref('genres') }}
),

exploded_genres as (
    select * from {{ ref('int_genres_exploded') }}
),

all_genres as (
    select genre
    from seeded_genres
    union
    select genre
    from exploded_genres
),

final as (
    select
        all_genres.genre,
        coalesce(seeded_genres.is_listed, true) as is_listed
    from all_genres
    left join seeded_genres on all_genres.genre = seeded_genres.genre
)

select * from final
