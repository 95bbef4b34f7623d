{% macro is_repeated(columns) -%}
    coalesce(
        {% for column in columns[1:] or columns -%}
            {{ 'and ' if not loop.first -}}
            {{ column }} = lag({{ column }}) over (
                partition by {{ columns[0] }}
                order by {{ (columns[1:] or columns) | join(', ') }}
            )
        {% endfor -%},
        false
    )
{%- endmacro %}
