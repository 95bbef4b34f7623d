with behaviour as (
    select * from {{ ref('mart_user_behaviour') }}
),

behaviour_by_genre as (
    select * from {{ ref('mart_user_behaviour_by_genre') }}
),

ratings as (
    select * from {{ ref('fct_ratings') }}
),

users as (
    select * from {{ ref('mart_user_engagement') }}
),

movies as (
    select * from {{ ref('mart_movie_performance') }}
),

genres as (
    select * from {{ ref('mart_genre_ratings') }}
),

-- Each user's count is carried by as many rows as the user has ratings.
expected as (
    select
        'rating' as grain,
        count(*) as row_count,
        sum({{ tenths('rating') }}) as rating_tenths_sum
    from ratings
    union all
    select
        'user' as grain,
        count(*) as row_count,
        sum(rating_count * rating_count) as rating_tenths_sum
    from users
    union all
    select
        'movie' as grain,
        sum(rating_count) as row_count,
        0 as rating_tenths_sum
    from movies
    union all
    select
        'genre' as grain,
        sum(rating_count) as row_count,
        0 as rating_tenths_sum
    from genres
),

found as (
    select
        'rating' as grain,
        count(*) as row_count,
        sum({{ tenths('rating') }}) as rating_tenths_sum
    from behaviour
    where
        rated_year * 10000 + rated_month * 100 + rated_day_of_month
        = cast(
            replace(cast(cast(rated_at as date) as varchar), '-', '') as bigint
        )
        and rated_iso_day_of_week between 1 and 7
        and engagement_level is not null
    union all
    select
        'user' as grain,
        count(distinct user_id) as row_count,
        sum(user_rating_count) as rating_tenths_sum
    from behaviour
    union all
    select
        'movie' as grain,
        count(genres_string) as row_count,
        0 as rating_tenths_sum
    from behaviour
    union all
    select
        'genre' as grain,
        count(*) as row_count,
        0 as rating_tenths_sum
    from behaviour_by_genre
),

wrong as (
    select
        expected.*,
        found.row_count as found_rows
    from expected
    inner join found on expected.grain = found.grain
    where
        coalesce(expected.row_count, 0) != found.row_count
        or coalesce(expected.rating_tenths_sum, 0)
        != coalesce(found.rating_tenths_sum, 0)
)

select * from wrong
