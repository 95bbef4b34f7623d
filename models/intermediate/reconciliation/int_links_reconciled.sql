{{ config(materialized='table') }}

with staged as (
    select * from {{ ref('stg_movielens__links') }}
),

deduplicated as (
    select * from {{ ref('int_links_deduplicated') }}
),

movies as (
    select * from {{ ref('int_movies_detailed') }}
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

dropped as (
    select
        count(*) - count(movies.movie_id) as orphan_count,
        count(
            case
                when
                    deduplicated.imdb_id is null
                    and deduplicated.tmdb_id is null
                    then movies.movie_id
            end
        ) as blank_count
    from deduplicated
    left join movies on deduplicated.movie_id = movies.movie_id
),

linked as (
    select count(*) as row_count
    from movies
    where imdb_id is not null or tmdb_id is not null
),

reconciled as (
    select
        'links' as entity,
        'staging' as layer,
        'rows' as reason,
        row_count
    from totals
    union all
    select
        'links' as entity,
        'mart' as layer,
        'duplicate' as reason,
        duplicate_count as row_count
    from totals
    union all
    select
        'links' as entity,
        'mart' as layer,
        'orphan' as reason,
        orphan_count as row_count
    from dropped
    union all
    select
        'links' as entity,
        'mart' as layer,
        'blank' as reason,
        blank_count as row_count
    from dropped
    union all
    select
        'links' as entity,
        'mart' as layer,
        'rows' as reason,
        row_count
    from linked
)

select * from reconciled
