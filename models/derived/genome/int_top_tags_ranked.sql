{{ config(materialized='table') }}

with scores as (
    select * from {{ ref('fct_genome_scores') }}
),

genome_tags as (
    select * from {{ ref('dim_genome_tags') }}
),

-- Sorting all scores would be slow. At least n tags reach the n-th highest of
-- the parts' maxima, so no score below it belongs to a top tag.
parts as (
    select
        movie_id,
        mod(tag_id, 32) as part,
        max(relevance) as relevance
    from scores
    group by movie_id, mod(tag_id, 32)
),

placed_parts as (
    select
        movie_id,
        relevance,
        row_number() over (
            partition by movie_id
            order by relevance desc, part asc
        ) as place
    from parts
),

candidates as (
    select scores.*
    from scores
    left join placed_parts
        on
            scores.movie_id = placed_parts.movie_id
            and placed_parts.place = {{ var('top_n_tags') }}
    where
        placed_parts.relevance is null
        or scores.relevance >= placed_parts.relevance
),

ranked as (
    select
        candidates.movie_id,
        candidates.tag_id,
        genome_tags.tag,
        candidates.relevance,
        row_number() over (
            partition by candidates.movie_id
            order by
                candidates.relevance desc, genome_tags.tag asc,
                candidates.tag_id asc
        ) as tag_rank
    from candidates
    inner join genome_tags on candidates.tag_id = genome_tags.tag_id
),

top_ranked as (
    select *
    from ranked
    where tag_rank <= {{ var('top_n_tags') }}
)

select * from top_ranked
