{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['user_id', 'movie_id'],
        on_schema_change='fail',
        pre_hook="{{ delete_vanished(
            ['user_id', 'movie_id'], ref('int_ratings_changed')
        ) }}",
    )
}}

with ratings as (
    select * from {{ ref('int_ratings_changed') }}
    where not is_removal
),

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
    select *
    from to_compute
    qualify
        not {{ is_repeated(
            ['user_id', 'movie_id'],
            ['rated_at desc', 'rating desc', 'load_id desc']
        ) }}
),

final as (
    select
        user_id,
        movie_id,
        rating,
        rated_at,
        cast(rated_at as date) as rated_date,
        load_id
    from latest
)

select * from final
