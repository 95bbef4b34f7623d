with loads as (
    select * from {{ ref('health_loads') }}
),

files as (
    select * from {{ ref('int_files_reconciled') }}
),

live_rows as (
    select
        entity,
        row_count
    from files
    where layer = 'raw' and reason = 'rows'
),

led_to as (
    select
        entity,
        sum(rows_new - rows_removed) as row_count
    from loads
    group by entity
),

wrong as (
    select
        live_rows.entity,
        live_rows.row_count as expected,
        led_to.row_count as found
    from live_rows
    left join led_to on live_rows.entity = led_to.entity
    where live_rows.row_count != coalesce(led_to.row_count, 0)
)

select * from wrong
