{% macro surrogate_key(columns) %}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- set text = 'cast(' ~ column ~ ' as varchar)' -%}
        {%- do parts.append(
            'coalesce(cast(length(' ~ text ~ ') as varchar) || '
            ~ "':' || " ~ text ~ ", '-')"
        ) -%}
    {%- endfor -%}
    {{- dbt.hash(parts | join(' || ')) -}}
{% endmacro %}
