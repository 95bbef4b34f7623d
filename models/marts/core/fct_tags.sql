with tags as (
    select * from {{ ref('int_tags_normalised') }}
),

final as (
    select
        user_id,
        movie_id,
        tag_normalised,
        tag,
        tagged_at
    from tags
    where tag_normalised != ''
    qualify
        row_number() over (
            partition by user_id, movie_id, tag_normalised
            order by tagged_at desc, tag asc
        ) = 1
)

select * from final
