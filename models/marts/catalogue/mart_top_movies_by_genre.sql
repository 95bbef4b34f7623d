with performance as (
    select * from {{ ref('mart_movie_performance') }}
),

movie_genres as (
    select * from {{ ref('bridge_movies_genres') }}
),

rated_enough as (
    select *
    from performance
    where rating_count >= {{ var('min_genre_ratings') }}
),

measured as (
    select
        *,
        'average' as basis,
        average_rating as measure
    from rated_enough
    union all
    select
        *,
        'bayesian' as basis,
        bayesian_rating as measure
    from rated_enough
    union all
    select
        *,
        'count' as basis,
        cast(rating_count as double) as measure
    from performance
),

ranked as (
    select
        measured.*,
        movie_genres.genre,
        row_number() over (
            partition by movie_genres.genre, measured.basis
            order by
                measured.measure desc, measured.average_rating desc,
                measured.rating_count desc, measured.title asc,
                measured.movie_id asc
        ) as rank
    from measured
    inner join movie_genres on measured.movie_id = movie_genres.movie_id
),

final as (
    select
        genre,
        basis,
        movie_id,
        title,
        rating_count,
        average_rating,
        bayesian_rating,
        cast(rank as bigint) as rank,
        {{ surrogate_key(['genre', 'basis', 'rank']) }} as entry_key
    from ranked
    where rank <= 10
)

select * from final
