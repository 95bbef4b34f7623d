with rejects as (
    select * from {{ ref('stg_reelhouse__rejects') }}
),

counted as (
    select
        file,
        entity,
        reason,
        count(*) as rejected_lines
    from rejects
    group by file, entity, reason
)

select * from counted
