with loads as (
    select * from {{ ref('health_loads') }}
),

-- An object that was refused or has left the bucket has no rows to count.
wrong as (
    select
        load_id,
        file,
        records,
        rows_loaded,
        rows_rejected
    from loads
    where
        status in ('loaded', 'replaced')
        and records != rows_loaded + rows_rejected
)

select * from wrong
