with distribution as (
    select * from {{ ref('mart_rating_distribution') }}
),

genres as (
    select * from {{ ref('mart_genre_ratings') }}
),

ratings as (
    select * from {{ ref('fct_ratings') }}
),

expected as (
    select
        false as is_all,
        genre,
        rating_count
    from genres
    where rating_count > 0
    union all
    select
        true as is_all,
        'all' as genre,
        count(*) as rating_count
    from ratings
    having count(*) > 0
),

found as (
    select
        is_all,
        genre,
        sum(rating_count) as rating_count,
        count(*) as half_stars,
        sum(share) as total_share,
        max(cumulative_share) as last_share,
        max(case when rating = 5 then cumulative_share end) as five_star_share
    from distribution
    group by is_all, genre
),

wrong as (
    select
        found.*,
        expected.genre as expected_genre
    from expected
    full outer join found
        on expected.is_all = found.is_all and expected.genre = found.genre
    where
        expected.genre is null
        or found.genre is null
        or found.rating_count != expected.rating_count
        or found.half_stars != 10
        or abs(found.total_share - 1) > 1e-9
        or found.last_share != 1
        or found.five_star_share is distinct from 1
)

select * from wrong
