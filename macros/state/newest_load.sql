{% macro newest_load() %}
    {#- adapter.get_relation would open a transaction that nobody commits -#}
    {%- set loads = source('reelhouse', 'loads') -%}
    {%- set tables -%}
        select count(*) as tables
        from information_schema.tables
        where table_catalog in {{ either_case([loads.database]) }}
            and table_schema in {{ either_case([loads.schema]) }}
            and table_name in {{ either_case([loads.identifier]) }}
    {%- endset -%}
    {%- if run_query(tables).columns[0].values()[0] == 0 -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set newest = run_query(
        'select max(load_id) as load_id from ' ~ loads.render()
    ).columns[0].values()[0] -%}
    {{- return(newest if newest is none else newest | int) -}}
{% endmacro %}
