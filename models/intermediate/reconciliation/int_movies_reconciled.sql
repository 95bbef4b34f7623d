{{ config(materialized='table') }}

with staged as (
    select * from {{ ref('stg_movielens__movies') }}
),

movies as (
    select * from {{ ref('int_movies_detailed') }}
),

inferred as (
    select * from {{ ref('int_movies_inferred') }}
),

keys as (
    select
        movie_id,
        count(*) as row_count
    from staged
    group by movie_id
),

totals as (
    select
        coalesce(sum(row_count), 0) as row_count,
        coalesce(sum(row_count - 1), 0) as duplicate_count
    from keys
),

-- Deleted movies that nothing mentions are history, not a part of the files.
in_use as (
    select movie_id
    from movies
    union all
    select movie_id
    from inferred
),

reconciled as (
    select
        'movies' as entity,
        'staging' as layer,
        'rows' as reason,
        row_count
    from totals
    union all
    select
        'movies' as entity,
        'mart' as layer,
        'duplicate' as reason,
        duplicate_count as row_count
    from totals
    union all
    select
        'movies' as entity,
        'mart' as layer,
        'inferred' as reason,
        count(*) as row_count
    from inferred
    union all
    select
        'movies' as entity,
        'mart' as layer,
        'rows' as reason,
        count(*) as row_count
    from in_use
)

select * from reconciled
