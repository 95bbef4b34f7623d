with versions as (
    select * from {{ ref('dim_movies_history') }}
),

neighbours as (
    select
        movie_id,
        version_number,
        valid_from,
        valid_to,
        is_current,
        is_deleted,
        title || '|' || genres || '|' || is_deleted as version_content,
        lead(valid_from) over (
            partition by movie_id
            order by version_number
        ) as next_valid_from,
        lead(title || '|' || genres || '|' || is_deleted) over (
            partition by movie_id
            order by version_number
        ) as next_content,
        max(version_number) over (partition by movie_id) as versions
    from versions
),

unsound as (
    select *
    from neighbours
    where
        valid_from is null
        or is_current is null
        or is_deleted is null
        or valid_to <= valid_from
        or coalesce(valid_to != next_valid_from, false)
        or (valid_to is null) != (version_number = versions)
        or is_current != (version_number = versions)
        or (
            version_number > 1
            and valid_from <= cast('1900-01-01' as timestamp)
        )
        or (version_number = 1 and is_deleted)
        or version_content = next_content
)

select * from unsound
