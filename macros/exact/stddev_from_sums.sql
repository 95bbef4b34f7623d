{% macro stddev_from_sums(count, sum, sum_of_squares, units=1) %}
    {%- set n = 'cast(' ~ count ~ ' as decimal(19, 0))' -%}
    {%- set x = 'cast(' ~ sum ~ ' as decimal(19, 0))' -%}
    {%- set xx = 'cast(' ~ sum_of_squares ~ ' as decimal(19, 0))' -%}
    {{- 'sqrt(' ~ ratio(
        '(' ~ n ~ ' * ' ~ xx ~ ' - ' ~ x ~ ' * ' ~ x ~ ')',
        '(' ~ units * units ~ ' * ' ~ n ~ ' * (' ~ n ~ ' - 1))'
    ) ~ ')' -}}
{% endmacro %}
