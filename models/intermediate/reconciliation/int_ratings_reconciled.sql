{{ config(materialized='table') }}

with staged as (
    select * from {{ ref('stg_movielens__ratings') }}
),

early_ratings as (
    select * from {{ ref('stg_movielens__early_ratings') }}
),

ratings as (
    select * from {{ ref('fct_ratings') }}
),

marked as (
    select {{ is_repeated(['user_id', 'movie_id']) }} as is_duplicate
    from staged
),

totals as (
    select
        count(*) as row_count,
        count(case when is_duplicate then 1 end) as duplicate_count
    from marked
),

reconciled as (
    select
        'ratings' as entity,
        'staging' as layer,
        'rows' as reason,
        row_count
    from totals
    union all
    select
        'ratings' as entity,
        'staging' as layer,
        'before_min_rated_at' as reason,
        count(*) as row_count
    from early_ratings
    union all
    select
        'ratings' as entity,
        'mart' as layer,
        'duplicate' as reason,
        duplicate_count as row_count
    from totals
    union all
    select
        'ratings' as entity,
        'mart' as layer,
        'rows' as reason,
        count(*) as row_count
    from ratings
)

select * from reconciled
