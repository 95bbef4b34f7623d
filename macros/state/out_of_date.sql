{% macro out_of_date(tree, rows, sources) %}
    {%- set versions = versions_of(tree, tree, rows, sources) -%}
    {%- set found = {} -%}
    {%- for unique_id, node in tree.items() -%}
        {%- set row = rows.get(unique_id) -%}
        {%- set version = versions[unique_id] -%}
        {%- if not row or not version or row.rules != version.rules
            or (node.materialized != 'view' and row.data != version.data) -%}
            {%- do found.update({unique_id: node}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}
