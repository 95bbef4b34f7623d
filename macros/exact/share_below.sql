{% macro share_below(column) -%}
    {%- set below = 'rank() over (order by ' ~ column ~ ') - 1' -%}
    coalesce({{ ratio(below, 'count(*) over () - 1') }}, 0)
{%- endmacro %}
