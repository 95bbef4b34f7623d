with movie_genres as (
    select * from {{ ref('bridge_movies_genres') }}
),

movies as (
    select * from {{ ref('dim_movies') }}
),

genres as (
    select * from {{ ref('mart_genre_ratings') }}
),

totals as (
    select count(distinct movie_id) as movies
    from movie_genres
),

-- Shares by weight add up to 1 over genres; shares of movies do not.
weighted as (
    select
        movie_genres.genre,
        sum({{ weight_units('movies.genre_count') }}) as weight_units
    from movie_genres
    inner join movies on movie_genres.movie_id = movies.movie_id
    group by movie_genres.genre
),

distribution as (
    select
        genres.genre,
        genres.movies,
        genres.rating_count,
        genres.weighted_average_rating,
        {{ ratio('genres.movies', 'totals.movies') }} as share_of_movies,
        {{ ratio(
            'weighted.weight_units', '(totals.movies * ' ~ weight_units(1) ~ ')'
        ) }} as weighted_share
    from genres
    inner join weighted on genres.genre = weighted.genre
    cross join totals
)

select * from distribution
