{{ config(materialized='view') }}

with recorded as (
    select * from {{ ref('snap_recommendations') }}
),

versions as (
    {{ dated_versions('recorded', ['movie_id']) }}
),

final as (
    select
        movie_id,
        version_number,
        recommendation_category,
        valid_from,
        valid_to,
        is_current,
        is_deleted
    from versions
)

select * from final
