{% test unique_combination(model, columns, latest=none) %}

with tested as (
    select {{ columns | join(', ') }}
    from {{ model }}
    {% if latest %}
        where {{ latest.column }} > (
            select {{ dbt.dateadd(
                'day', -latest.days, 'max(' ~ latest.column ~ ')'
            ) }}
            from {{ model }}
        )
    {% endif %}
)

select
    {{ columns | join(',\n    ') }},
    count(*) as row_count
from tested
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {% for column in columns %}
        or {{ column }} is null
    {% endfor %}

{% endtest %}
