with movies as (
    select * from {{ ref('int_movies_detailed') }}
),

ratings as (
    select * from {{ ref('int_ratings_summed_by_movie') }}
),

totals as (
    select
        sum(rating_count) as rating_count,
        sum(rating_tenths_sum) as rating_tenths_sum
    from ratings
),

final as (
    select
        movies.movie_id,
        movies.title,
        movies.release_year,
        cast(ratings.rating_count as bigint) as rating_count,
        {{ ratio('ratings.rating_tenths_sum', '10 * ratings.rating_count') }}
            as average_rating,
        {{ stddev_from_sums(
            'ratings.rating_count', 'ratings.rating_tenths_sum',
            'ratings.rating_tenths_squared_sum', units=10
        ) }} as rating_stddev,
        {{ bayesian_average(
            'ratings.rating_count', 'ratings.rating_tenths_sum',
            'totals.rating_count', 'totals.rating_tenths_sum',
            var('bayesian_prior_count'), units=10
        ) }} as bayesian_rating,
        ratings.rating_count >= {{ var('min_movie_ratings') }}
            as has_enough_ratings,
        ratings.first_rated_at,
        ratings.last_rated_at
    from movies
    inner join ratings on movies.movie_id = ratings.movie_id
    cross join totals
)

select * from final
