{{ config(materialized='table') }}

with staged as (
    select * from {{ ref('stg_movielens__genome_tags') }}
),

genome_tags as (
    select * from {{ ref('dim_genome_tags') }}
),

keys as (
    select
        tag_id,
        count(*) as row_count
    from staged
    group by tag_id
),

totals as (
    select
        coalesce(sum(row_count), 0) as row_count,
        coalesce(sum(row_count - 1), 0) as duplicate_count
    from keys
),

reconciled as (
    select
        'genome_tags' as entity,
        'staging' as layer,
        'rows' as reason,
        row_count
    from totals
    union all
    select
        'genome_tags' as entity,
        'mart' as layer,
        'duplicate' as reason,
        duplicate_count as row_count
    from totals
    union all
    select
        'genome_tags' as entity,
        'mart' as layer,
        'rows' as reason,
        count(*) as row_count
    from genome_tags
)

select * from reconciled
