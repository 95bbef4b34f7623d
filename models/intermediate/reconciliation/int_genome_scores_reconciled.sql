with staged as (
    select * from {{ ref('stg_movielens__genome_scores') }}
),

movies as (
    select * from {{ ref('int_movies_deduplicated') }}
),

genome_tags as (
    select * from {{ ref('int_genome_tags_deduplicated') }}
),

genome_scores as (
    select * from {{ ref('fct_genome_scores') }}
),

keys as (
    select
        movie_id,
        tag_id,
        count(*) as row_count
    from staged
    group by movie_id, tag_id
),

totals as (
    select
        coalesce(sum(keys.row_count), 0) as row_count,
        coalesce(sum(keys.row_count - 1), 0) as duplicate_count,
        count(*) - count(
            case when genome_tags.tag_id is not null then movies.movie_id end
        ) as orphan_count
    from keys
    left join movies on keys.movie_id = movies.movie_id
    left join genome_tags on keys.tag_id = genome_tags.tag_id
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
