{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['user_id', 'movie_id'],
        on_schema_change='fail',
        pre_hook="{{ delete_vanished(
            ['user_id', 'movie_id'],
            ref('int_ratings_changed'),
            ref('int_ratings_ranked')
        ) }}",
    )
}}

with ratings as (
    select * from {{ ref('int_ratings_ranked') }}
),

{# The hook names the changes too, so dbt knows of them in both branches. #}
{% if is_incremental() %}
    changes as (
        select * from {{ ref('int_ratings_changed') }}
    ),

    unseen_changes as (
        select
            user_id,
            movie_id
        from changes
        where load_id > {{ newest_load_id(this) }}
        group by user_id, movie_id
    ),

    to_compute as (
        select *
        from ratings
        where exists (
            select 1
            from unseen_changes
            where
                unseen_changes.user_id = ratings.user_id
                and unseen_changes.movie_id = ratings.movie_id
        )
    ),
{% else %}
    to_compute as (
        select * from ratings
    ),
{% endif %}

latest as (
    select
        user_id,
        movie_id,
        max(recency_rank) as recency_rank,
        max(load_id) as load_id
    from to_compute
    group by user_id, movie_id
),

decoded as (
    select
        user_id,
        movie_id,
        cast(mod(recency_rank, 100) * 0.1 as decimal(2, 1)) as rating,
        cast(floor(recency_rank * 0.01) as bigint) as rated_epoch,
        load_id
    from latest
),

final as (
    select
        user_id,
        movie_id,
        rating,
        {{ epoch_to_timestamp('rated_epoch') }} as rated_at,
        cast({{ epoch_to_timestamp('rated_epoch') }} as date) as rated_date,
        load_id
    from decoded
)

select * from final
