{% test relevance_range(model, column_name) %}

select {{ column_name }}
from {{ model }}
where
    {{ column_name }} is null
    or {{ column_name }} < 0
    or {{ column_name }} > 1

{% endtest %}
