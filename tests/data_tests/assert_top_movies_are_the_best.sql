with top_movies as (
    select * from {{ ref('mart_top_movies_by_genre') }}
),

performance as (
    select * from {{ ref('mart_movie_performance') }}
),

movie_genres as (
    select * from {{ ref('bridge_movies_genres') }}
),

bases as (
    select basis
    from top_movies
    group by basis
),

eligible as (
    select
        movie_genres.genre,
        bases.basis,
        performance.movie_id,
        case bases.basis
            when 'average' then performance.average_rating
            when 'bayesian' then performance.bayesian_rating
            when 'count' then cast(performance.rating_count as double)
        end as measure
    from performance
    inner join movie_genres on performance.movie_id = movie_genres.movie_id
    cross join bases
    where
        bases.basis = 'count'
        or performance.rating_count >= {{ var('min_genre_ratings') }}
),

-- The best and worst rank that the basis allows, as ties may go in any order.
ranked as (
    select
        eligible.*,
        rank() over (
            partition by eligible.genre, eligible.basis
            order by eligible.measure desc
        ) as first_place,
        rank() over (
            partition by eligible.genre, eligible.basis
            order by eligible.measure asc
        ) as rank_from_below,
        count(*) over (partition by eligible.genre, eligible.basis) as rivals
    from eligible
),

placed as (
    select
        genre,
        basis,
        movie_id,
        first_place,
        rivals - rank_from_below + 1 as last_place
    from ranked
),

wrong as (
    select
        placed.genre,
        placed.basis,
        placed.movie_id,
        top_movies.rank
    from placed
    full outer join top_movies
        on
            placed.genre = top_movies.genre
            and placed.basis = top_movies.basis
            and placed.movie_id = top_movies.movie_id
    where
        placed.movie_id is null
        or (top_movies.rank is null and placed.last_place <= 10)
        or top_movies.rank < placed.first_place
        or top_movies.rank > placed.last_place
),

missing_places as (
    select
        genre,
        basis,
        min(movie_id) as movie_id,
        max(rank) as last_rank
    from top_movies
    group by genre, basis
    having count(*) != max(rank) or max(rank) > 10
),

failures as (
    select * from wrong
    union all
    select * from missing_places
)

select * from failures
