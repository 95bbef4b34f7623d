{% macro opened_rows() %}
    {%- set opened = {} -%}
    {%- for row in run_query(
        'select node, rules, data from ' ~ source('state', 'nodes').render()
        ~ " where invocation_id = '" ~ invocation_id ~ "' and rules <> ''"
    ).rows -%}
        {%- do opened.update(
            {row[0]: {'rules': row[1], 'data': fromjson(row[2])}}
        ) -%}
    {%- endfor -%}
    {{- return(opened) -}}
{% endmacro %}
