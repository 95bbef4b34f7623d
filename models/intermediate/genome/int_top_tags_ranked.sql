{{ config(materialized='table') }}

with scores as (
    select * from {{ ref('fct_genome_scores') }}
),

genome_tags as (
    select * from {{ ref('dim_genome_tags') }}
),

ranked as (
    select
        scores.movie_id,
        scores.tag_id,
        genome_tags.tag,
        scores.relevance,
        row_number() over (
            partition by scores.movie_id
            order by
                scores.relevance desc, genome_tags.tag asc, scores.tag_id asc
        ) as tag_rank
    from scores
    inner join genome_tags on scores.tag_id = genome_tags.tag_id
),

top_ranked as (
    select *
    from ranked
    where tag_rank <= {{ var('top_n_tags') }}
)

select * from top_ranked
