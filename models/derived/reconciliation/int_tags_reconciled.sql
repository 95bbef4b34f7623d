{{ config(materialized='table') }}

with normalised as (
    select * from {{ ref('int_tags_normalised') }}
),

tags as (
    select * from {{ ref('fct_tags') }}
),

marked as (
    select
        tag_normalised = '' as is_blank,
        {{ is_repeated(['user_id', 'movie_id', 'tag_normalised']) }}
            as is_duplicate
    from normalised
),

reconciled as (
    {{ counted_by_reason('tags', [
        ['staging', 'rows', 'normalised', 'true'],
        ['mart', 'blank', 'marked', 'is_blank'],
        ['mart', 'duplicate', 'marked', 'is_duplicate and not is_blank'],
        ['mart', 'rows', 'tags', 'true'],
    ]) }}
)

select * from reconciled
