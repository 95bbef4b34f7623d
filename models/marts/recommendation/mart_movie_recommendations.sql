with movies as (
    select * from {{ ref('int_movies_recommended') }}
),

final as (
    select
        movie_id,
        title,
        genres_string,
        recommendation_category,
        cast(rating_count as bigint) as rating_count,
        cast(priority as bigint) as priority,
        {{ ratio('rating_tenths_sum', '10 * rating_count') }} as average_rating
    from movies
)

select * from final
