{{ config(materialized='table') }}

with staged as (
    select * from {{ ref('stg_movielens__tags') }}
),

normalised as (
    select * from {{ ref('int_tags_normalised') }}
),

tags as (
    select * from {{ ref('fct_tags') }}
),

keys as (
    select
        user_id,
        movie_id,
        tag_normalised,
        count(*) as row_count
    from normalised
    where tag_normalised != ''
    group by user_id, movie_id, tag_normalised
),

duplicates as (
    select coalesce(sum(row_count - 1), 0) as row_count
    from keys
),

blanks as (
    select count(*) as row_count
    from normalised
    where tag_normalised = ''
),

reconciled as (
    select
        'tags' as entity,
        'staging' as layer,
        'rows' as reason,
        count(*) as row_count
    from staged
    union all
    select
        'tags' as entity,
        'mart' as layer,
        'blank' as reason,
        row_count
    from blanks
    union all
    select
        'tags' as entity,
        'mart' as layer,
        'duplicate' as reason,
        row_count
    from duplicates
    union all
    select
        'tags' as entity,
        'mart' as layer,
        'rows' as reason,
        count(*) as row_count
    from tags
)

select * from reconciled
