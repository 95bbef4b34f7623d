with files as (
    select * from {{ ref('int_files_reconciled') }}
),

ratings as (
    select * from {{ ref('int_ratings_reconciled') }}
),

movies as (
    select * from {{ ref('int_movies_reconciled') }}
),

tags as (
    select * from {{ ref('int_tags_reconciled') }}
),

genome as (
    select * from {{ ref('int_genome_reconciled') }}
),

counted as (
    select * from files
    union all
    select * from ratings
    union all
    select * from movies
    union all
    select * from tags
    union all
    select * from genome
),

layers as (
    select
        entity,
        layer,
        case layer
            when 'file' then 1 when 'raw' then 2
            when 'staging' then 3 when 'mart' then 4
        end as layer_number,
        sum(case when reason in ('records', 'rows') then row_count else 0 end)
            as kept_count,
        sum(case when reason = 'inferred' then -row_count else row_count end)
            as explained_count
    from counted
    group by entity, layer
),

compared as (
    select
        entity,
        layer,
        lag(kept_count) over (partition by entity order by layer_number)
        - explained_count as unexplained_count
    from layers
),

final as (
    select
        entity,
        layer,
        reason,
        cast(row_count as bigint) as row_count
    from counted
    union all
    select
        entity,
        layer,
        'unexplained' as reason,
        cast(unexplained_count as bigint) as row_count
    from compared
    where layer != 'file'
)

select * from final
