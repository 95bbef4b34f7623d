{% macro ledger_columns() %}
    {%- set columns = {} -%}
    {%- for declared in graph.sources.values()
        if declared.source_name == 'state' -%}
        {%- for column in declared.columns.values() -%}
            {%- do columns.update({column.name: column.data_type}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(columns) -}}
{% endmacro %}
