with versions as (
    select * from {{ ref('snap_tags') }}
),

tags as (
    select * from {{ ref('fct_tags') }}
),

last_versions as (
    select *
    from versions
    where dbt_valid_to is null
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
        or (last_versions.dbt_is_deleted = 'True') != (tags.user_id is null)
        or last_versions.tag != tags.tag
        or last_versions.tagged_at != tags.tagged_at
),

-- A tag that is gone has a last version too, which says so.
unended as (
    select
        user_id,
        movie_id,
        tag_normalised
    from versions
    group by user_id, movie_id, tag_normalised
    having count(case when dbt_valid_to is null then 1 end) != 1
),

wrong as (
    select * from differing
    union all
    select * from unended
)

select * from wrong
