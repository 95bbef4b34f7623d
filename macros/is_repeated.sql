{% macro is_repeated(columns, order_by=[]) -%}
    {%- set others = columns[1:] or columns -%}
    coalesce(
        {% for column in others -%}
            {{ 'and ' if not loop.first -}}
            {{ column }} = lag({{ column }}) over (
                partition by {{ columns[0] }}
                order by {{ (others + order_by) | join(', ') }}
            )
        {% endfor -%},
        false
    )
{%- endmacro %}
