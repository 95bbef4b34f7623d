with scores as (
    select * from {{ ref('fct_genome_scores') }}
),

summed as (
    select
        tag_id,
        count(*) as movies_scored,
        count(case when relevance >= 0.5 then 1 end) as movies_relevant,
        sum(relevance) as relevance_sum
    from scores
    group by tag_id
)

select * from summed
