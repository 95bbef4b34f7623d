{% test unique_combination(model, columns, latest=none) %}

with marked as (
    select
        {{ columns | join(',\n        ') }},
        {{ is_repeated(columns) }} as is_repeated
    from {{ latest_rows(model, latest) }} as tested
)

select {{ columns | join(', ') }}
from marked
where
    is_repeated
    {% for column in columns %}
        or {{ column }} is null
    {% endfor %}

{% endtest %}
