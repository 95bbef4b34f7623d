with tags as (
    select * from {{ ref('int_tags_deduplicated') }}
),

final as (
    select
        user_id,
        movie_id,
        tag_normalised,
        tag,
        tagged_at
    from tags
)

select * from final
