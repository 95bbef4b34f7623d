with source as (
    select * from {{ source('reelhouse', 'rejects') }}
),

renamed as (
    select
        file,
        entity,
        record_number,
        reason,
        text,
        load_id
    from source
    where removed_load_id is null
)

select * from renamed
