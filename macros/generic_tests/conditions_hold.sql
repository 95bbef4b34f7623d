{% test conditions_hold(model, conditions) %}

select
    case
        {% for condition in conditions %}
            when not ({{ condition }})
                then '{{ condition | replace("'", "''") }}'
        {% endfor %}
    end as broken_condition,
    *
from {{ model }}
where
    false
    {% for condition in conditions %}
        or not ({{ condition }})
    {% endfor %}

{% endtest %}
