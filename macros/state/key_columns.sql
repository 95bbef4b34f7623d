{% macro key_columns(unique_id, tests) %}
    {%- set keys = [[]] -%}
    {%- for test in tests
        if test.get('attached_node') == unique_id
        and test.get('test_metadata')
        and not test.config.where -%}
        {%- set arguments = test.test_metadata.kwargs -%}
        {%- set columns = {
            'unique': [arguments.get('column_name')],
            'unique_combination': arguments.get('columns'),
        }.get(test.test_metadata.name, []) -%}
        {#- The key with most columns is the natural one; others are surrogates. -#}
        {%- if columns | length > keys[-1] | length -%}
            {%- do keys.append(columns) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(keys[-1]) -}}
{% endmacro %}
