{% macro weighted_avg(sum, count, weight='1', units=1) %}
    {%- set product = ' * ' ~ weight if weight != '1' else '' -%}
    {{- ratio(
        'sum(' ~ sum ~ product ~ ')',
        (units ~ ' * ' if units != 1 else '')
        ~ 'sum(' ~ count ~ product ~ ')'
    ) -}}
{% endmacro %}
