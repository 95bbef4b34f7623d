{%- set entities = [
    'ratings', 'movies', 'tags', 'links', 'genome_scores', 'genome_tags'
] -%}

with objects as (
    select * from {{ ref('stg_reelhouse__objects') }}
),

rejects as (
    select * from {{ ref('int_rejects_counted') }}
),

entities as (
    {% for entity in entities %}
        select '{{ entity }}' as entity
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

records as (
    select
        entity,
        sum(records) as row_count,
        sum(records - rows_rejected) as kept_count
    from objects
    group by entity
),

rejected as (
    select
        entity,
        sum(rejected_lines) as row_count
    from rejects
    group by entity
),

reconciled as (
    select
        entities.entity,
        'file' as layer,
        'records' as reason,
        coalesce(records.row_count, 0) as row_count
    from entities
    left join records on entities.entity = records.entity
    union all
    select
        entities.entity,
        'raw' as layer,
        'rows' as reason,
        coalesce(records.kept_count, 0) as row_count
    from entities
    left join records on entities.entity = records.entity
    union all
    select
        entities.entity,
        'raw' as layer,
        'rejected' as reason,
        coalesce(rejected.row_count, 0) as row_count
    from entities
    left join rejected on entities.entity = rejected.entity
)

select * from reconciled
