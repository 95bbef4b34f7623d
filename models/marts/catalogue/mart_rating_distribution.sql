with ratings as (
    select * from {{ ref('fct_ratings') }}
),

movie_genres as (
    select * from {{ ref('bridge_movies_genres') }}
),

numbers as (
    {{ dbt.generate_series(10) }}
),

counted as (
    select
        movie_id,
        rating,
        count(*) as rating_count
    from ratings
    group by movie_id, rating
),

per_genre as (
    select
        false as is_all,
        movie_genres.genre,
        counted.rating,
        counted.rating_count
    from counted
    inner join movie_genres on counted.movie_id = movie_genres.movie_id
    union all
    select
        true as is_all,
        'all' as genre,
        rating,
        rating_count
    from counted
),

totals as (
    select
        is_all,
        genre,
        sum(rating_count) as total_count
    from per_genre
    group by is_all, genre
),

half_stars as (
    select
        totals.is_all,
        totals.genre,
        totals.total_count,
        cast(numbers.generated_number * 0.5 as decimal(2, 1)) as rating
    from totals
    cross join numbers
),

completed as (
    select
        half_stars.is_all,
        half_stars.genre,
        half_stars.rating,
        half_stars.total_count,
        coalesce(sum(per_genre.rating_count), 0) as rating_count
    from half_stars
    left join per_genre
        on
            half_stars.is_all = per_genre.is_all
            and half_stars.genre = per_genre.genre
            and half_stars.rating = per_genre.rating
    group by
        half_stars.is_all,
        half_stars.genre,
        half_stars.rating,
        half_stars.total_count
),

cumulated as (
    select
        *,
        sum(rating_count) over (
            partition by is_all, genre
            order by rating
            rows between unbounded preceding and current row
        ) as cumulative_count
    from completed
),

final as (
    select
        genre,
        is_all,
        rating,
        cast(rating_count as bigint) as rating_count,
        {{ ratio('rating_count', 'total_count') }} as share,
        {{ ratio('cumulative_count', 'total_count') }} as cumulative_share
    from cumulated
)

select * from final
