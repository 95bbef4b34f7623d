with source as (
    select * from {{ source('reelhouse', 'loads') }}
),

renamed as (
    select
        load_id,
        source,
        loaded_at
    from source
)

select * from renamed
