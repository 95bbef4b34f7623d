with genome_tags as (
    select * from {{ ref('stg_movielens__genome_tags') }}
),

deduplicated as (
    select
        tag_id,
        tag
    from genome_tags
    qualify
        row_number() over (
            partition by tag_id
            order by file desc, record_number desc
        ) = 1
)

select * from deduplicated
