with source as (
    select * from {{ source('reelhouse', 'objects') }}
),

renamed as (
    select
        file,
        entity,
        etag,
        sha256,
        size_bytes as size,
        records,
        rows_rejected,
        load_id
    from source
)

select * from renamed
