{%- set latest = {'days': 31, 'column': 'rated_at', 'relation': 'newest'} -%}

with behaviour as (
    select * from {{ ref('mart_user_behaviour') }}
),

behaviour_by_genre as (
    select * from {{ ref('mart_user_behaviour_by_genre') }}
),

ratings as (
    select * from {{ ref('fct_ratings') }}
),

{# Its own CTE: an engine may keep a CTE in memory if it is read twice. #}
all_ratings as (
    select * from {{ ref('fct_ratings') }}
),

movies as (
    select * from {{ ref('dim_movies') }}
),

newest as (
    select max(rated_at) as rated_at
    from all_ratings
),

found as (
    select
        count(*) as ratings,
        count(engagement_level) as levelled,
        count(genres_string) as of_current_movies,
        sum(rating) as rating_sum,
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
    from {{ latest_rows('behaviour', latest) }} as latest_rows
),

found_by_genre as (
    select
        count(*) as ratings,
        count(engagement_level) as levelled
    from {{ latest_rows('behaviour_by_genre', latest) }} as latest_rows
),

expected as (
    select
        count(*) as ratings,
        sum(latest_rows.rating) as rating_sum,
        -- A movie of no current file has no number of genres.
        count(movies.genre_count) as of_current_movies,
        coalesce(sum(movies.genre_count), 0) as by_genre
    from {{ latest_rows('ratings', latest) }} as latest_rows
    left join movies on latest_rows.movie_id = movies.movie_id
),

wrong as (
    select found.*
    from found
    cross join found_by_genre
    cross join expected
    where
        found.ratings != expected.ratings
        or found.levelled != expected.ratings
        or found.rightly_dated != expected.ratings
        or found.of_current_movies != expected.of_current_movies
        or found.rating_sum is distinct from expected.rating_sum
        or found_by_genre.ratings != expected.by_genre
        or found_by_genre.levelled != expected.by_genre
)

select * from wrong
