with reconciliation as (
    select * from {{ ref('health_reconciliation') }}
),

unexplained as (
    select
        entity,
        layer,
        row_count
    from reconciliation
    where reason = 'unexplained' and row_count != 0
)

select * from unexplained
