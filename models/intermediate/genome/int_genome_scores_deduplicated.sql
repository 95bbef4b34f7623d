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
        not {{ is_repeated(
            ['movie_id', 'tag_id'], ['file desc', 'record_number desc']
        ) }}
)

select * from deduplicated
