with source as (
    select * from {{ source('reelhouse', 'load_objects') }}
),

renamed as (
    select
        load_id,
        file,
        entity,
        etag,
        sha256,
        size_bytes as size,
        records,
        rows_loaded,
        rows_new,
        rows_rejected,
        rows_removed,
        status
    from source
)

select * from renamed
