with rejects as (
    select * from {{ ref('int_rejects_counted') }}
),

final as (
    select
        file,
        reason,
        rejected_lines
    from rejects
)

select * from final
