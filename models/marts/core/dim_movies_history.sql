{{ config(materialized='view') }}

with recorded as (
    select * from {{ ref('snap_movies') }}
),

versions as (
    {{ dated_versions('recorded', ['movie_id']) }}
),

compared as (
    select
        *,
        lag(title) over (
            partition by movie_id
            order by version_number
        ) as title_before
    from versions
),

-- A title lasts from the version that changed it to the next such version.
titled as (
    select
        *,
        count(case when title != title_before then title_before end) over (
            partition by movie_id
            order by version_number
            rows between unbounded preceding and current row
        ) as title_number
    from compared
),

compared_with_current as (
    select
        *,
        min(dbt_valid_from) over (partition by movie_id) as first_loaded_at,
        max(case when is_current then title end) over (
            partition by movie_id
        ) as current_title,
        max(case when is_current then genres end) over (
            partition by movie_id
        ) as current_genres,
        max(case when title != title_before then title_before end) over (
            partition by movie_id, title_number
        ) as previous_title
    from titled
),

final as (
    select
        movie_id,
        version_number,
        title,
        genres,
        valid_from,
        valid_to,
        is_current,
        is_deleted,
        current_title,
        current_genres,
        previous_title,
        first_loaded_at
    from compared_with_current
)

select * from final
