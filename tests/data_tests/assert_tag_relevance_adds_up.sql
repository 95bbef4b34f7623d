with relevances as (
    select * from {{ ref('mart_tag_relevance') }}
),

scores as (
    select * from {{ ref('fct_genome_scores') }}
),

genome_tags as (
    select * from {{ ref('dim_genome_tags') }}
),

expected as (
    select
        genome_tags.tag_id,
        count(scores.movie_id) as movies_scored,
        coalesce(
            sum(case when scores.relevance > 0.49999 then 1 else 0 end), 0
        ) as movies_relevant,
        {{ ratio(
            'sum(cast(scores.relevance * 100000 as bigint))',
            '100000 * count(scores.movie_id)'
        ) }} as average_relevance
    from genome_tags
    left join scores on genome_tags.tag_id = scores.tag_id
    group by genome_tags.tag_id
),

wrong as (
    select
        expected.tag_id as expected_tag_id,
        relevances.tag_id
    from expected
    full outer join relevances on expected.tag_id = relevances.tag_id
    where
        expected.tag_id is null
        or relevances.tag_id is null
        or expected.movies_scored != relevances.movies_scored
        or expected.movies_relevant != relevances.movies_relevant
        or (expected.movies_scored = 0)
        != (relevances.average_relevance is null)
        or abs(expected.average_relevance - relevances.average_relevance)
        > 1e-9
)

select * from wrong
