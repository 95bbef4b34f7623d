with genres as (
    select * from {{ ref('dim_genres') }}
),

movie_genres as (
    select * from {{ ref('int_genres_exploded') }}
),

movie_ratings as (
    select * from {{ ref('int_ratings_summed_by_movie') }}
),

user_genres as (
    select * from {{ ref('int_user_genres_summed') }}
),

genre_raters as (
    select
        genre,
        count(distinct user_id) as raters
    from user_genres
    group by genre
),

summed as (
    select
        movie_genres.genre,
        count(*) as movies,
        count(movie_ratings.movie_id) as rated_movies,
        sum(movie_ratings.rating_count) as rating_count,
        sum(movie_ratings.rating_tenths_sum) as rating_tenths_sum,
        sum(movie_ratings.rating_tenths_squared_sum)
            as rating_tenths_squared_sum,
        {{ weighted_avg(
            'movie_ratings.rating_tenths_sum', 'movie_ratings.rating_count',
            weight='movie_genres.weight_units', units=10
        ) }} as weighted_average_rating,
        {{ ratio(
            'sum(movie_ratings.rating_count * movie_genres.weight_units)',
            weight_units(1)
        ) }} as weighted_rating_count
    from movie_genres
    left join movie_ratings on movie_genres.movie_id = movie_ratings.movie_id
    group by movie_genres.genre
),

final as (
    select
        genres.genre,
        cast(coalesce(summed.movies, 0) as bigint) as movies,
        cast(coalesce(summed.rated_movies, 0) as bigint) as rated_movies,
        cast(coalesce(summed.rating_count, 0) as bigint) as rating_count,
        cast(coalesce(genre_raters.raters, 0) as bigint) as raters,
        {{ ratio('summed.rating_tenths_sum', '10 * summed.rating_count') }}
            as average_rating,
        summed.weighted_average_rating,
        coalesce(summed.weighted_rating_count, 0) as weighted_rating_count,
        {{ stddev_from_sums(
            'summed.rating_count', 'summed.rating_tenths_sum',
            'summed.rating_tenths_squared_sum', units=10
        ) }} as rating_stddev
    from genres
    left join summed on genres.genre = summed.genre
    left join genre_raters on genres.genre = genre_raters.genre
)

select * from final
