{{ config(materialized='view') }}

with versions as (
    select * from {{ ref('snap_movies') }}
),

numbered as (
    select
        movie_id,
        title,
        genres,
        dbt_valid_from,
        dbt_valid_to as valid_to,
        cast(row_number() over (
            partition by movie_id
            order by dbt_valid_from
        ) as bigint) as version_number,
        dbt_valid_to is null as is_current,
        dbt_is_deleted = 'True' as is_deleted,
        min(dbt_valid_from) over () as first_recorded_at
    from versions
),

compared as (
    select
        *,
        lag(title) over (
            partition by movie_id
            order by version_number
        ) as title_before
    from numbered
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
        case
            when dbt_valid_from = first_recorded_at
                then cast('1900-01-01' as timestamp)
            else dbt_valid_from
        end as valid_from,
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
        previous_title
    from compared_with_current
)

select * from final
