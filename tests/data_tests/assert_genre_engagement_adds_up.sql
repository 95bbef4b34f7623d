with engagement as (
    select * from {{ ref('mart_genre_engagement') }}
),

genres as (
    select * from {{ ref('mart_genre_ratings') }}
),

summed as (
    select
        genre,
        sum(users) as users,
        sum(rating_count) as rating_count,
        min(average_rating) as lowest,
        max(average_rating) as highest
    from engagement
    group by genre
),

-- Each user has one level, so the sums of the levels add up to the genre's, and
-- its mean lies between theirs.
wrong as (
    select
        genres.genre as expected_genre,
        summed.genre
    from genres
    full outer join summed on genres.genre = summed.genre
    where
        genres.genre is null
        or genres.raters != coalesce(summed.users, 0)
        or genres.rating_count != coalesce(summed.rating_count, 0)
        or genres.average_rating < summed.lowest - 1e-9
        or genres.average_rating > summed.highest + 1e-9
)

select * from wrong
