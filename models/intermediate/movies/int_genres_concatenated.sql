{{ config(materialized='ephemeral') }}

with genres as (
    select * from {{ ref('int_genres_exploded') }}
),

concatenated as (
    select
        movie_id,
        {{ dbt.listagg('genre', "', '", 'order by genre') }} as genres_string,
        cast(count(*) as bigint) as genre_count
    from genres
    group by movie_id
)

select * from concatenated
