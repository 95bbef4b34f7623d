with user_tags as (
    select * from {{ ref('mart_user_tags') }}
),

tags as (
    select * from {{ ref('fct_tags') }}
),

tagged_movies as (
    select
        tag_normalised,
        movie_id,
        count(*) as users
    from tags
    group by tag_normalised, movie_id
),

expected as (
    select
        tag_normalised,
        sum(users) as applications,
        count(*) as movies,
        max(users) as users_of_one_movie
    from tagged_movies
    group by tag_normalised
),

wrong as (
    select
        expected.tag_normalised as expected_tag,
        user_tags.tag_normalised
    from expected
    full outer join user_tags
        on expected.tag_normalised = user_tags.tag_normalised
    where
        expected.tag_normalised is null
        or user_tags.tag_normalised is null
        or expected.applications != user_tags.applications
        or expected.movies != user_tags.movies
        or user_tags.users < expected.users_of_one_movie
        or user_tags.users > user_tags.applications
        or user_tags.first_tagged_at > user_tags.last_tagged_at
)

select * from wrong
