with trends as (
    select * from {{ ref('mart_genre_trends') }}
),

genres as (
    select * from {{ ref('mart_genre_ratings') }}
),

months as (
    select * from {{ ref('mart_monthly_trends') }}
),

summed as (
    select
        genre,
        sum(rating_count) as rating_count,
        sum(average_rating * rating_count) as stars,
        sum(active_users) as active_users,
        min(rating_year) as first_year,
        max(rating_year) as last_year,
        count(*) as years
    from trends
    group by genre
),

bounds as (
    select
        extract(year from min(month)) as first_year,
        extract(year from max(month)) as last_year
    from months
),

wrong as (
    select
        genres.genre as expected_genre,
        summed.genre
    from genres
    full outer join summed on genres.genre = summed.genre
    cross join bounds
    where
        genres.genre is null
        or (genres.rating_count > 0) != (summed.genre is not null)
        or genres.rating_count != summed.rating_count
        or abs(genres.average_rating * genres.rating_count - summed.stars)
        > 1e-6 * genres.rating_count
        or summed.active_users < genres.raters
        or summed.first_year != bounds.first_year
        or summed.last_year != bounds.last_year
        or summed.years != bounds.last_year - bounds.first_year + 1
)

select * from wrong
