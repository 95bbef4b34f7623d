with tag_performance as (
    select * from {{ ref('mart_tag_performance') }}
),

top_tags as (
    select * from {{ ref('int_top_tags_ranked') }}
),

movies as (
    select * from {{ ref('mart_movie_performance') }}
),

-- Computed from the averages of movies, not from their sums as in the model.
expected as (
    select
        top_tags.tag_id,
        count(*) as movies_with_tag,
        sum(movies.rating_count) as total_ratings,
        sum(movies.average_rating * movies.rating_count) as rating_sum
    from top_tags
    inner join movies on top_tags.movie_id = movies.movie_id
    where movies.rating_count >= {{ var('min_link_ratings') }}
    group by top_tags.tag_id
    having count(*) >= {{ var('min_tagged_movies') }}
),

wrong as (
    select
        expected.tag_id as expected_tag_id,
        tag_performance.tag_id
    from expected
    full outer join tag_performance
        on expected.tag_id = tag_performance.tag_id
    where
        expected.tag_id is null
        or tag_performance.tag_id is null
        or expected.movies_with_tag != tag_performance.movies_with_tag
        or expected.total_ratings != tag_performance.total_ratings
        or abs(
            expected.rating_sum
            - tag_performance.weighted_average_rating
            * tag_performance.total_ratings
        ) > 1e-6 * expected.total_ratings
)

select * from wrong
