with reconciliation as (
    select * from {{ ref('health_reconciliation') }}
),

files as (
    select * from {{ ref('int_files_reconciled') }}
),

-- Each entity has one "unexplained" row per layer after the files.
bridged as (
    select
        entity,
        count(*) as bridges
    from reconciliation
    where reason = 'unexplained'
    group by entity
),

uncovered as (
    select files.entity
    from files
    left join bridged on files.entity = bridged.entity
    where coalesce(bridged.bridges, 0) != 3
)

select * from uncovered
