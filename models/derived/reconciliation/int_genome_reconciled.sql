{{ config(materialized='table') }}

with staged_tags as (
    select * from {{ ref('stg_movielens__genome_tags') }}
),

staged_scores as (
    select * from {{ ref('stg_movielens__genome_scores') }}
),

movies as (
    select * from {{ ref('int_movies_detailed') }}
),

tags as (
    select * from {{ ref('dim_genome_tags') }}
),

scores as (
    select * from {{ ref('fct_genome_scores') }}
),

marked_tags as (
    select {{ is_repeated(['tag_id']) }} as is_duplicate
    from staged_tags
),

marked_scores as (
    select
        movie_id,
        tag_id,
        {{ is_repeated(['movie_id', 'tag_id']) }} as is_duplicate
    from staged_scores
),

followed_scores as (
    select
        marked_scores.is_duplicate,
        movies.movie_id is null or tags.tag_id is null as is_orphan
    from marked_scores
    left join movies on marked_scores.movie_id = movies.movie_id
    left join tags on marked_scores.tag_id = tags.tag_id
),

reconciled as (
    {{ counted_by_reason('genome_tags', [
        ['staging', 'rows', 'staged_tags', 'true'],
        ['mart', 'duplicate', 'marked_tags', 'is_duplicate'],
        ['mart', 'rows', 'tags', 'true'],
    ]) }}
    union all
    {{ counted_by_reason('genome_scores', [
        ['staging', 'rows', 'staged_scores', 'true'],
        ['mart', 'duplicate', 'followed_scores', 'is_duplicate'],
        ['mart', 'orphan', 'followed_scores', 'is_orphan and not is_duplicate'],
        ['mart', 'rows', 'scores', 'true'],
    ]) }}
)

select * from reconciled
