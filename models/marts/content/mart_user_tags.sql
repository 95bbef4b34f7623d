with tags as (
    select * from {{ ref('fct_tags') }}
),

final as (
    select
        tag_normalised,
        count(*) as applications,
        count(distinct movie_id) as movies,
        count(distinct user_id) as users,
        min(tagged_at) as first_tagged_at,
        max(tagged_at) as last_tagged_at
    from tags
    group by tag_normalised
)

select * from final
