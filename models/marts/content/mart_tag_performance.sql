with links as (
    select * from {{ ref('int_top_tags_linked') }}
),

final as (
    select
        tag_id,
        tag,
        count(*) as movies_with_tag,
        cast(sum(rating_count) as bigint) as total_ratings,
        {{ weighted_avg('rating_tenths_sum', 'rating_count', units=10) }}
            as weighted_average_rating
    from links
    group by tag_id, tag
    having count(*) >= {{ var('min_tagged_movies') }}
)

select * from final
