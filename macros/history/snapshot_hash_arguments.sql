{% macro snapshot_hash_arguments(args) -%}
    {%- set parts = [] -%}
    {%- for key in args[:-1] -%}
        {%- do parts.append(
            "coalesce(cast(" ~ key ~ " as varchar), '') || '|'"
        ) -%}
    {%- endfor -%}
    {%- do parts.append('cast(' ~ microseconds(args[-1]) ~ ' as varchar)') -%}
    {{- dbt.hash(parts | join(' || ')) -}}
{%- endmacro %}
