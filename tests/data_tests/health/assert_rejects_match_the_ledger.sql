with objects as (
    select * from {{ ref('stg_reelhouse__objects') }}
),

rejects as (
    select * from {{ ref('health_rejects') }}
),

counted as (
    select
        file,
        sum(rejected_lines) as rejected_lines
    from rejects
    group by file
),

differing as (
    select
        objects.file,
        objects.rows_rejected,
        counted.rejected_lines
    from objects
    full outer join counted on objects.file = counted.file
    where
        coalesce(objects.rows_rejected, 0)
        != coalesce(counted.rejected_lines, 0)
)

select * from differing
