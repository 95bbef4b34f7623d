with versions as (
    select * from {{ ref('fct_tags_history') }}
),

tags as (
    select * from {{ ref('fct_tags') }}
),

last_versions as (
    select *
    from versions
    where is_current
),

differing as (
    select
        coalesce(last_versions.user_id, tags.user_id) as user_id,
        coalesce(last_versions.movie_id, tags.movie_id) as movie_id,
        coalesce(last_versions.tag_normalised, tags.tag_normalised)
            as tag_normalised
    from last_versions
    full outer join tags
        on
            last_versions.user_id = tags.user_id
            and last_versions.movie_id = tags.movie_id
            and last_versions.tag_normalised = tags.tag_normalised
    where
        last_versions.user_id is null
        or last_versions.is_deleted != (tags.user_id is null)
        or last_versions.tag != tags.tag
        or last_versions.tagged_at != tags.tagged_at
)

select * from differing
