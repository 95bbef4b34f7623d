with engagement as (
    select * from {{ ref('mart_genre_engagement') }}
),

-- Highly engaged are both upper levels: the top one too.
genres as (
    select
        genre,
        sum(users) as users,
        sum(rating_count) as rating_count
    from engagement
    where engagement_level in ('High', 'Super-High')
    group by genre
),

top_genres as (
    select
        genre,
        users,
        rating_count,
        row_number() over (order by rating_count desc, genre asc) as rank
    from genres
    {{ top_n(5, ['rating_count desc', 'genre asc']) }}
)

select * from top_genres
