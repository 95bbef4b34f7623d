{% macro weight_units(parts) %}
    {#- 232792560 is the least common multiple of 1 to 22 -#}
    {%- set whole = 232792560 -%}
    {{- 'cast((' ~ whole ~ ' - mod(' ~ whole ~ ', ' ~ parts ~ '))' -}}
    {{- ' / ' ~ parts ~ ' as bigint)' -}}
{% endmacro %}
