with genome_tags as (
    select * from {{ ref('int_genome_tags_deduplicated') }}
),

final as (
    select
        tag_id,
        tag
    from genome_tags
)

select * from final
