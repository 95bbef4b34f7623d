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

-- All that a look at every rating tells, in one look.
found as (
    select
        count(*) as ratings,
        count(engagement_level) as levelled,
        count(genres_string) as of_current_movies,
        sum(rating) as rating_sum,
        sum(user_rating_count) as user_rating_counts,
        count(
            case
                when
                    rated_year = extract(year from cast(rated_at as date))
                    and rated_month = extract(month from cast(rated_at as date))
                    and rated_day_of_month
                    = extract(day from cast(rated_at as date))
                    and rated_iso_day_of_week between 1 and 7
                    then 1
            end
        ) as rightly_dated
    from behaviour
),

found_by_genre as (
    select count(*) as ratings
    from behaviour_by_genre
),

expected as (
    select
        count(*) as ratings,
        sum(rating) as rating_sum
    from ratings
),

-- Each user's count is carried by as many rows as the user has ratings.
expected_of_users as (
    select sum(rating_count * rating_count) as user_rating_counts
    from users
),

expected_of_movies as (
    select coalesce(sum(rating_count), 0) as ratings
    from movies
),

expected_by_genre as (
    select coalesce(sum(rating_count), 0) as ratings
    from genres
),

wrong as (
    select found.*
    from found
    cross join found_by_genre
    cross join expected
    cross join expected_of_users
    cross join expected_of_movies
    cross join expected_by_genre
    where
        found.ratings != expected.ratings
        or found.levelled != expected.ratings
        or found.rightly_dated != expected.ratings
        or found.of_current_movies != expected_of_movies.ratings
        or found.rating_sum is distinct from expected.rating_sum
        or found.user_rating_counts
        is distinct from expected_of_users.user_rating_counts
        or found_by_genre.ratings != expected_by_genre.ratings
)

select * from wrong
