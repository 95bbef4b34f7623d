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

reconciled as (
    {{ counted_by_reason('ratings', [
        ['staging', 'rows', 'staged', 'true'],
        ['staging', 'before_min_rated_at', 'early_ratings', 'true'],
        ['mart', 'duplicate', 'marked', 'is_duplicate'],
        ['mart', 'rows', 'ratings', 'true'],
    ]) }}
)

select * from reconciled
