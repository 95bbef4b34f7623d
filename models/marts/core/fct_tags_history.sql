{{ config(materialized='view') }}

with recorded as (
    select * from {{ ref('snap_tags') }}
),

versions as (
    {{ dated_versions('recorded', ['user_id', 'movie_id', 'tag_normalised']) }}
),

final as (
    select
        user_id,
        movie_id,
        tag_normalised,
        version_number,
        tag,
        tagged_at,
        valid_from,
        valid_to,
        is_current,
        is_deleted
    from versions
)

select * from final
