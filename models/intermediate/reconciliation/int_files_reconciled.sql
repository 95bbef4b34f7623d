with live_rows as (
    select * from {{ ref('stg_reelhouse__live_rows') }}
),

objects as (
    select * from {{ ref('stg_reelhouse__objects') }}
),

rejects as (
    select * from {{ ref('int_rejects_counted') }}
),

records as (
    select
        entity,
        sum(records) as row_count
    from objects
    group by entity
),

rejected as (
    select
        entity,
        sum(rejected_lines) as row_count
    from rejects
    group by entity
),

reconciled as (
    select
        live_rows.entity,
        'file' as layer,
        'records' as reason,
        coalesce(records.row_count, 0) as row_count
    from live_rows
    left join records on live_rows.entity = records.entity
    union all
    select
        entity,
        'raw' as layer,
        'rows' as reason,
        row_count
    from live_rows
    union all
    select
        live_rows.entity,
        'raw' as layer,
        'rejected' as reason,
        coalesce(rejected.row_count, 0) as row_count
    from live_rows
    left join rejected on live_rows.entity = rejected.entity
)

select * from reconciled
