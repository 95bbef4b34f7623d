{% macro tenths(value) %}
    {{- 'cast(' ~ value ~ ' * 10 as bigint)' -}}
{% endmacro %}
