{% macro relation_shapes(nodes) %}
    {%- set schemas = [] -%}
    {%- for node in nodes.values() if node.kind != 'test' -%}
        {%- do schemas.append(node.relation.split('.')[0]) -%}
    {%- endfor -%}
    {%- set shapes = {} -%}
    {%- for row in run_query(
        relation_shapes_sql(schemas | unique | list)
    ).rows if schemas -%}
        {%- do shapes.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {{- return(shapes) -}}
{% endmacro %}
