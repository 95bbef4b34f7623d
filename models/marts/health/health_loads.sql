with changes as (
    select * from {{ ref('int_loads_detailed') }}
),

final as (
    select
        load_id,
        file,
        entity,
        etag,
        sha256,
        size,
        records,
        rows_loaded,
        rows_new,
        rows_rejected,
        rows_removed,
        status,
        loaded_at,
        delivery
    from changes
)

select * from final
