{% macro last_load_id() %}
    {#- adapter.get_relation would open a transaction that nobody commits -#}
    {#- source() alone would read nothing under --empty -#}
    {%- set declared = source('reelhouse', 'loads') -%}
    {%- set loads = api.Relation.create(
        database=declared.database,
        schema=declared.schema,
        identifier=declared.identifier
    ) -%}
    {%- set ledgers -%}
        select count(*) as ledgers
        from information_schema.tables
        where lower(table_catalog) = lower('{{ loads.database }}')
            and lower(table_schema) = lower('{{ loads.schema }}')
            and lower(table_name) = lower('{{ loads.identifier }}')
    {%- endset -%}
    {%- if run_query(ledgers).columns[0].values()[0] == 0 -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set newest = run_query(
        'select cast(max(load_id) as bigint) as load_id from ' ~ loads
    ) -%}
    {{- return(newest.columns[0].values()[0]) -}}
{% endmacro %}
