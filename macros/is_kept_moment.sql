{% macro is_kept_moment(moment) %}
    {%- set earliest = var('min_rated_at') -%}
    {%- if earliest is none -%}
        true
    {%- else -%}
        {{ moment }} >= cast('{{ earliest }}' as datetime)
    {%- endif -%}
{% endmacro %}
