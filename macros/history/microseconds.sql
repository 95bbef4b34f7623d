{% macro microseconds(moment) -%}
    {{- dbt.datediff("cast('1970-01-01' as datetime)", moment, 'microsecond') -}}
{%- endmacro %}
