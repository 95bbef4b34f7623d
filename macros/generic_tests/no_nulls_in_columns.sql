{% test no_nulls_in_columns(model, columns) %}

select {{ columns | join(', ') }}
from {{ model }}
where
    false
    {% for column in columns %}
        or {{ column }} is null
    {% endfor %}

{% endtest %}
