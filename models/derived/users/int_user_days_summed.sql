{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='user_id',
        on_schema_change='fail',
        pre_hook="{{ delete_vanished(
            ['user_id'], ref('int_ratings_changed')
        ) }}",
    )
}}

with ratings as (
    select * from {{ ref('fct_ratings') }}
),

{# A changed rating may have moved between days, so sum all days of its user. #}
{% if is_incremental() %}
    changes as (
        select * from {{ ref('int_ratings_changed') }}
    ),

    unseen_users as (
        select user_id
        from changes
        where load_id > {{ newest_load_id(this) }}
        group by user_id
    ),

    to_sum as (
        select *
        from ratings
        where exists (
            select 1
            from unseen_users
            where unseen_users.user_id = ratings.user_id
        )
    ),
{% else %}
    to_sum as (
        select * from ratings
    ),
{% endif %}

summed as (
    select
        user_id,
        rated_date,
        count(*) as rating_count,
        sum({{ tenths('rating') }}) as rating_tenths_sum,
        min(rated_at) as first_rated_at,
        max(rated_at) as last_rated_at,
        max(load_id) as load_id
    from to_sum
    group by user_id, rated_date
)

select * from summed
