{% macro split_rows(text, separator, alias) %}
    {{- adapter.dispatch('split_rows', 'reelhouse')(text, separator, alias) -}}
{% endmacro %}

{% macro duckdb__split_rows(text, separator, alias) -%}
    cross join unnest(string_split({{ text }}, '{{ separator }}'))
        as {{ alias }} (value)
{%- endmacro %}

{% macro snowflake__split_rows(text, separator, alias) -%}
    , lateral flatten(input => split({{ text }}, '{{ separator }}'))
        as {{ alias }}
{%- endmacro %}
