with genome_tags as (
    select * from {{ ref('dim_genome_tags') }}
),

relevances as (
    select * from {{ ref('int_relevances_summed_by_tag') }}
),

final as (
    select
        genome_tags.tag_id,
        genome_tags.tag,
        cast(coalesce(relevances.movies_scored, 0) as bigint) as movies_scored,
        cast(coalesce(relevances.movies_relevant, 0) as bigint)
            as movies_relevant,
        {{ ratio('relevances.relevance_sum', 'relevances.movies_scored') }}
            as average_relevance
    from genome_tags
    left join relevances on genome_tags.tag_id = relevances.tag_id
)

select * from final
