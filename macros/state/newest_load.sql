{% macro newest_load() %}
    {#- adapter.get_relation would open a transaction that is never committed. -#}
    {%- set loads = source('reelhouse', 'loads') -%}
    {%- set described -%}
        select lower(column_name) as column_name
        from information_schema.columns
        where table_catalog in {{ either_case([loads.database]) }}
            and table_schema in {{ either_case([loads.schema]) }}
            and table_name in {{ either_case([loads.identifier]) }}
    {%- endset -%}
    {%- set columns = run_query(described).columns[0].values() -%}
    {%- if not columns -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- if 'load_key' not in columns -%}
        {%- do exceptions.raise_compiler_error(
            'The raw tables are from an older version of Reelhouse: '
            ~ '`reelhouse run` updates them.'
        ) -%}
    {%- endif -%}
    {%- set newest = run_query(
        'select max(load_id) as load_id from ' ~ loads.render()
    ).columns[0].values()[0] -%}
    {{- return(newest if newest is none else newest | int) -}}
{% endmacro %}
