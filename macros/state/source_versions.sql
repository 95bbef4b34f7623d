{% macro source_versions() %}
    {%- set versions = {} -%}
    {%- for row in run_query(source_versions_sql()).rows -%}
        {%- do versions.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {{- return(versions) -}}
{% endmacro %}
