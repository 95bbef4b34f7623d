with reconciliation as (
    select * from {{ ref('health_reconciliation') }}
),

live_rows as (
    select * from {{ ref('stg_reelhouse__live_rows') }}
),

-- One unexplained row for each layer behind the files.
bridged as (
    select
        entity,
        count(*) as bridges
    from reconciliation
    where reason = 'unexplained'
    group by entity
),

uncovered as (
    select live_rows.entity
    from live_rows
    left join bridged on live_rows.entity = bridged.entity
    where coalesce(bridged.bridges, 0) != 3
)

select * from uncovered
