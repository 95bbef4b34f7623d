with user_genres as (
    select * from {{ ref('int_user_genres_summed') }}
),

months as (
    select * from {{ ref('int_months_listed') }}
),

summed as (
    select
        genre,
        rating_year,
        cast(sum(rating_count) as bigint) as rating_count,
        count(*) as active_users,
        {{ weighted_avg('rating_tenths_sum', 'rating_count', units=10) }}
            as average_rating,
        {{ weighted_avg('weighted_tenths_sum', 'weight_units_sum', units=10) }}
            as weighted_average_rating
    from user_genres
    group by genre, rating_year
),

genres as (
    select genre
    from summed
    group by genre
),

years as (
    select cast(extract(year from month) as integer) as rating_year
    from months
    group by cast(extract(year from month) as integer)
),

final as (
    select
        genres.genre,
        years.rating_year,
        summed.average_rating,
        summed.weighted_average_rating,
        coalesce(summed.rating_count, 0) as rating_count,
        coalesce(summed.active_users, 0) as active_users,
        summed.average_rating - lag(summed.average_rating) over (
            partition by genres.genre
            order by years.rating_year
        ) as average_change
    from genres
    cross join years
    left join summed
        on
            genres.genre = summed.genre
            and years.rating_year = summed.rating_year
)

select * from final
