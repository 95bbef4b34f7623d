{%- set entities = [
    'ratings', 'movies', 'tags', 'links', 'genome_scores', 'genome_tags'
] -%}

with counted as (
    {% for entity in entities %}
        select
            '{{ entity }}' as entity,
            count(*) as row_count
        from {{ source('movielens', entity) }}
        where {{ is_live() }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select * from counted
