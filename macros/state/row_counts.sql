{% macro row_counts(relations) %}
    {%- set counts = {} -%}
    {%- set queries = [] -%}
    {%- for relation in relations -%}
        {%- do queries.append(
            "select '" ~ relation ~ "' as relation, count(*) as row_count from "
            ~ target.database ~ '.' ~ relation
        ) -%}
    {%- endfor -%}
    {%- if queries -%}
        {%- for row in run_query(queries | join(' union all ')).rows -%}
            {%- do counts.update({row[0]: row[1] | int}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(counts) -}}
{% endmacro %}
