{{ config(materialized='table') }}

with ratings as (
    select * from {{ ref('fct_ratings') }}
),

summed as (
    select
        movie_id,
        count(*) as rating_count,
        sum({{ tenths('rating') }}) as rating_tenths_sum,
        sum({{ tenths('rating') }} * {{ tenths('rating') }})
            as rating_tenths_squared_sum,
        min(rated_at) as first_rated_at,
        max(rated_at) as last_rated_at
    from ratings
    group by movie_id
)

select * from summed
