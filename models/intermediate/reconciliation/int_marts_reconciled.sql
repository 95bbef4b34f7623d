with ratings as (
    select * from {{ ref('int_ratings_reconciled') }}
),

movies as (
    select * from {{ ref('int_movies_reconciled') }}
),

tags as (
    select * from {{ ref('int_tags_reconciled') }}
),

links as (
    select * from {{ ref('int_links_reconciled') }}
),

genome_scores as (
    select * from {{ ref('int_genome_scores_reconciled') }}
),

genome_tags as (
    select * from {{ ref('int_genome_tags_reconciled') }}
),

counted as (
    select * from ratings
    union all
    select * from movies
    union all
    select * from tags
    union all
    select * from links
    union all
    select * from genome_scores
    union all
    select * from genome_tags
),

reconciled as (
    select
        entity,
        layer,
        reason,
        row_count
    from counted
)

select * from reconciled
