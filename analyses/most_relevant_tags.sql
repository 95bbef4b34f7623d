with relevances as (
    select * from {{ ref('mart_tag_relevance') }}
),

most_relevant as (
    select
        tag_id,
        tag,
        average_relevance,
        movies_scored,
        movies_relevant,
        row_number() over (
            order by average_relevance desc, tag asc, tag_id asc
        ) as rank
    from relevances
    where movies_scored > 0
    {{ top_n(20, ['average_relevance desc', 'tag asc', 'tag_id asc']) }}
)

select * from most_relevant
