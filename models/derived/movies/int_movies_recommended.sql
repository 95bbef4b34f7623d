with movies as (
    select * from {{ ref('int_movies_detailed') }}
),

ratings as (
    select * from {{ ref('int_ratings_summed_by_movie') }}
),

categories as (
    select * from {{ ref('recommendation_categories') }}
),

rated_movies as (
    select
        movies.movie_id,
        movies.title,
        movies.genres_string,
        ratings.rating_count,
        cast(ratings.rating_tenths_sum as bigint) as rating_tenths_sum
    from movies
    inner join ratings on movies.movie_id = ratings.movie_id
),

-- Compare sums instead of means, to avoid division and rounding.
recommended as (
    select
        rated_movies.*,
        coalesce(categories.category, 'unclassified')
            as recommendation_category,
        coalesce(categories.priority, 0) as priority
    from rated_movies
    left join categories
        on
            rated_movies.rating_count >= categories.min_ratings
            and rated_movies.rating_tenths_sum
            >= categories.avg_rating_threshold * 10 * rated_movies.rating_count
    {{ top_n(
        1, ['categories.priority desc', 'categories.category asc'],
        ['rated_movies.movie_id']
    ) }}
)

select * from recommended
