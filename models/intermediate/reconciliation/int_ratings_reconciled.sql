with staged as (
    select * from {{ ref('stg_movielens__ratings') }}
),

early_ratings as (
    select * from {{ ref('stg_movielens__early_ratings') }}
),

ratings as (
    select * from {{ ref('fct_ratings') }}
),

keys as (
    select
        user_id,
        movie_id,
        count(*) as row_count
    from staged
    group by user_id, movie_id
),

totals as (
    select
        coalesce(sum(row_count), 0) as row_count,
        coalesce(sum(row_count - 1), 0) as duplicate_count
    from keys
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
