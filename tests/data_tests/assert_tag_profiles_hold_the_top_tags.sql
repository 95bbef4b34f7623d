with profiles as (
    select * from {{ ref('mart_movie_tag_profile') }}
),

top_tags as (
    select * from {{ ref('int_top_tags_ranked') }}
),

scores as (
    select * from {{ ref('fct_genome_scores') }}
),

chosen as (
    select
        movie_id,
        count(*) as tags,
        max(tag_rank) as last_rank,
        min(relevance) as least_relevance
    from top_tags
    group by movie_id
),

-- Fewer scores are above the lowest chosen one than were chosen. Fewer tags
-- than requested are chosen only if there are no more.
scored as (
    select
        scores.movie_id,
        chosen.tags,
        chosen.last_rank,
        count(*) as all_tags,
        max(scores.relevance) as top_relevance,
        count(
            case when scores.relevance > chosen.least_relevance then 1 end
        ) as tags_above
    from scores
    left join chosen on scores.movie_id = chosen.movie_id
    group by scores.movie_id, chosen.tags, chosen.last_rank
),

wrong as (
    select
        scored.movie_id as expected_movie_id,
        profiles.movie_id
    from scored
    full outer join profiles on scored.movie_id = profiles.movie_id
    where
        scored.movie_id is null
        or profiles.movie_id is null
        or scored.tags is distinct from
        least(scored.all_tags, {{ var('top_n_tags') }})
        or scored.last_rank != scored.tags
        or scored.tags_above >= scored.tags
        or scored.top_relevance != profiles.top_relevance
        or left(profiles.top_tags || ', ', length(profiles.top_tag) + 2)
        != profiles.top_tag || ', '
)

select * from wrong
