with engagement as (
    select * from {{ ref('mart_user_engagement') }}
),

most_engaged as (
    select
        user_id,
        engagement_level,
        rating_count,
        tag_count,
        active_days,
        average_rating,
        top_genre,
        row_number() over (
            order by rating_count desc, active_days desc, user_id asc
        ) as rank
    from engagement
    {{ top_n(
        20, ['rating_count desc', 'active_days desc', 'user_id asc']
    ) }}
)

select * from most_engaged
