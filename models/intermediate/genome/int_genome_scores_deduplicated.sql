with genome_scores as (
    select * from {{ ref('stg_movielens__genome_scores') }}
),

deduplicated as (
    select
        movie_id,
        tag_id,
        relevance
    from genome_scores
    qualify
        row_number() over (
            partition by movie_id, tag_id
            order by file desc, record_number desc
        ) = 1
)

select * from deduplicated
