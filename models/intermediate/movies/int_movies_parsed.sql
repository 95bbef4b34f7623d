with movies as (
    select * from {{ ref('int_movies_deduplicated') }}
),

parsed as (
    {{ parsed_titles('movies') }}
)

select * from parsed
