with recommendations as (
    select * from {{ ref('mart_movie_recommendations') }}
),

performance as (
    select * from {{ ref('mart_movie_performance') }}
),

categories as (
    select * from {{ ref('recommendation_categories') }}
),

-- The highest priority among all rules that a movie meets.
met as (
    select
        performance.movie_id,
        max(categories.priority) as priority
    from performance
    inner join categories
        on
            performance.rating_count >= categories.min_ratings
            and performance.average_rating >= categories.avg_rating_threshold
    group by performance.movie_id
),

expected as (
    select
        performance.movie_id,
        performance.rating_count,
        performance.average_rating,
        coalesce(met.priority, 0) as priority,
        coalesce(categories.category, 'unclassified')
            as recommendation_category
    from performance
    left join met on performance.movie_id = met.movie_id
    left join categories on met.priority = categories.priority
),

wrong as (
    select
        expected.movie_id as expected_movie_id,
        recommendations.movie_id
    from expected
    full outer join recommendations
        on
            expected.movie_id = recommendations.movie_id
            and expected.rating_count = recommendations.rating_count
            and expected.average_rating = recommendations.average_rating
            and expected.priority = recommendations.priority
            and expected.recommendation_category
            = recommendations.recommendation_category
    where expected.movie_id is null or recommendations.movie_id is null
)

select * from wrong
