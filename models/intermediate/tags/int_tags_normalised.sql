with tags as (
    select * from {{ ref('stg_movielens__tags') }}
),

normalised as (
    select
        user_id,
        movie_id,
        coalesce({{ normalise_text('tag') }}, '') as tag_normalised,
        tag,
        tagged_at
    from tags
)

select * from normalised
