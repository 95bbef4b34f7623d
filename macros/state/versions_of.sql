{% macro versions_of(tree, selected, rows, sources) %}
    {%- set versions = {} -%}
    {%- for unique_id, source in graph.sources.items() -%}
        {%- set relation = (source.schema ~ '.' ~ source.identifier) | lower -%}
        {%- do versions.update({unique_id: {
            'rules': relation, 'data': {relation: sources.get(relation)},
        }}) -%}
    {%- endfor -%}
    {%- for unique_id in selected -%}
        {%- do resolve_version(unique_id, tree, selected, rows, versions) -%}
    {%- endfor -%}
    {{- return(versions) -}}
{% endmacro %}
