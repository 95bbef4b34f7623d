with load_objects as (
    select * from {{ ref('stg_reelhouse__load_objects') }}
),

loads as (
    select * from {{ ref('stg_reelhouse__loads') }}
),

detailed as (
    select
        load_objects.load_id,
        load_objects.file,
        load_objects.entity,
        load_objects.etag,
        load_objects.sha256,
        load_objects.size,
        load_objects.records,
        load_objects.rows_loaded,
        load_objects.rows_new,
        load_objects.rows_rejected,
        load_objects.rows_removed,
        load_objects.status,
        loads.loaded_at,
        loads.delivery
    from load_objects
    inner join loads on load_objects.load_id = loads.load_id
)

select * from detailed
