with movies as (
    select * from {{ ref('int_movies_detailed') }}
),

movie_ratings as (
    select * from {{ ref('int_ratings_summed_by_movie') }}
),

ratings as (
    select * from {{ ref('fct_ratings') }}
),

last_day as (
    select max(rated_date) as last_date
    from ratings
),

-- Each window has 365 days; the column is its last day.
windows as (
    select
        last_date as recent_end,
        cast({{ dbt.dateadd('day', -365, 'last_date') }} as date)
            as previous_end,
        cast({{ dbt.dateadd('day', -730, 'last_date') }} as date)
            as before_previous
    from last_day
),

marked as (
    select
        ratings.movie_id,
        {{ tenths('ratings.rating') }} as rating_tenths,
        ratings.rated_date > windows.previous_end as is_recent
    from ratings
    cross join windows
    where ratings.rated_date > windows.before_previous
),

counted as (
    select
        movie_id,
        count(case when is_recent then 1 end) as recent_count,
        count(case when not is_recent then 1 end) as previous_count,
        sum(case when is_recent then rating_tenths end) as recent_sum,
        sum(case when not is_recent then rating_tenths end) as previous_sum
    from marked
    group by movie_id
),

compared as (
    select
        movies.movie_id,
        movies.title,
        counted.recent_sum,
        counted.previous_sum,
        coalesce(counted.recent_count, 0) as recent_count,
        coalesce(counted.previous_count, 0) as previous_count,
        cast(movie_ratings.first_rated_at as date) > windows.previous_end
            as is_new
    from movies
    inner join movie_ratings on movies.movie_id = movie_ratings.movie_id
    left join counted on movies.movie_id = counted.movie_id
    cross join windows
),

final as (
    select
        movie_id,
        title,
        cast(recent_count as bigint) as recent_rating_count,
        cast(previous_count as bigint) as previous_rating_count,
        {{ ratio('recent_sum', '10 * recent_count') }}
            as recent_average_rating,
        {{ ratio('previous_sum', '10 * previous_count') }}
            as previous_average_rating,
        case
            when
                recent_count + previous_count
                < {{ var('min_momentum_ratings') }}
                then 'dormant'
            when is_new then 'new'
            when
                recent_count
                >= {{ var('momentum_rising_factor') }} * previous_count
                then 'rising'
            when
                recent_count
                <= {{ var('momentum_falling_factor') }} * previous_count
                then 'falling'
            else 'steady'
        end as momentum
    from compared
)

select * from final
