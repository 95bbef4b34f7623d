{% macro bayesian_average(
    count, sum, total_count, total_sum, prior_count, units=1
) %}
    {%- set n = 'cast(' ~ count ~ ' as decimal(19, 0))' -%}
    {%- set x = 'cast(' ~ sum ~ ' as decimal(19, 0))' -%}
    {%- set total_n = 'cast(' ~ total_count ~ ' as decimal(19, 0))' -%}
    {%- set total_x = 'cast(' ~ total_sum ~ ' as decimal(19, 0))' -%}
    {%- set m = prior_count -%}
    {{- ratio(
        '(' ~ x ~ ' * ' ~ total_n ~ ' + ' ~ m ~ ' * ' ~ total_x ~ ')',
        '(' ~ units ~ ' * (' ~ n ~ ' + ' ~ m ~ ') * ' ~ total_n ~ ')'
    ) -}}
{% endmacro %}
