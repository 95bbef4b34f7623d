{{ config(materialized='table') }}

with staged as (
    select * from {{ ref('stg_movielens__genome_scores') }}
),

movies as (
    select * from {{ ref('int_movies_detailed') }}
),

genome_tags as (
    select * from {{ ref('int_genome_tags_deduplicated') }}
),

genome_scores as (
    select * from {{ ref('fct_genome_scores') }}
),

marked as (
    select
        movie_id,
        tag_id,
        {{ is_repeated(['movie_id', 'tag_id']) }} as is_duplicate
    from staged
),

totals as (
    select
        count(*) as row_count,
        count(case when marked.is_duplicate then 1 end) as duplicate_count,
        count(
            case
                when
                    not marked.is_duplicate
                    and (movies.movie_id is null or genome_tags.tag_id is null)
                    then 1
            end
        ) as orphan_count
    from marked
    left join movies on marked.movie_id = movies.movie_id
    left join genome_tags on marked.tag_id = genome_tags.tag_id
),

reconciled as (
    select
        'genome_scores' as entity,
        'staging' as layer,
        'rows' as reason,
        row_count
    from totals
    union all
    select
        'genome_scores' as entity,
        'mart' as layer,
        'duplicate' as reason,
        duplicate_count as row_count
    from totals
    union all
    select
        'genome_scores' as entity,
        'mart' as layer,
        'orphan' as reason,
        orphan_count as row_count
    from totals
    union all
    select
        'genome_scores' as entity,
        'mart' as layer,
        'rows' as reason,
        count(*) as row_count
    from genome_scores
)

select * from reconciled
