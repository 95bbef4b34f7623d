with source as (
    select * from {{ source('reelhouse', 'loads') }}
),

renamed as (
    select
        load_id,
        source,
        loaded_at,
        coalesce(delivery, '') as delivery
    from source
)

select * from renamed
