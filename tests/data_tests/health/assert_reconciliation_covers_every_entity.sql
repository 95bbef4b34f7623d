with reconciliation as (
    select * from {{ ref('health_reconciliation') }}
),

files as (
    select * from {{ ref('int_files_reconciled') }}
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
    select files.entity
    from files
    left join bridged on files.entity = bridged.entity
    where coalesce(bridged.bridges, 0) != 3
)

select * from uncovered
