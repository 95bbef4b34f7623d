with ranked_users as (
    select * from {{ ref('int_users_ranked') }}
),

tags as (
    select * from {{ ref('fct_tags') }}
),

tagging_users as (
    select
        user_id,
        count(*) as tag_count,
        min(tagged_at) as first_tagged_at,
        max(tagged_at) as last_tagged_at
    from tags
    group by user_id
),

joined as (
    select
        ranked_users.engagement_level,
        coalesce(ranked_users.user_id, tagging_users.user_id) as user_id,
        coalesce(ranked_users.rating_count, 0) as rating_count,
        coalesce(tagging_users.tag_count, 0) as tag_count,
        least(
            coalesce(
                ranked_users.first_rated_at, tagging_users.first_tagged_at
            ),
            coalesce(
                tagging_users.first_tagged_at, ranked_users.first_rated_at
            )
        ) as first_active_at,
        greatest(
            coalesce(ranked_users.last_rated_at, tagging_users.last_tagged_at),
            coalesce(tagging_users.last_tagged_at, ranked_users.last_rated_at)
        ) as last_active_at
    from ranked_users
    full outer join tagging_users
        on ranked_users.user_id = tagging_users.user_id
),

final as (
    select
        user_id,
        engagement_level,
        first_active_at,
        last_active_at,
        cast(rating_count as bigint) as rating_count,
        cast(tag_count as bigint) as tag_count
    from joined
)

select * from final
