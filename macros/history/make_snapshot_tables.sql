{% macro make_snapshot_tables() %}
    {%- for node in graph.nodes.values()
        if node.resource_type == 'snapshot'
        and node.unique_id not in selected_resources -%}
        {%- set table = api.Relation.create(
            database=node.database,
            schema=node.schema,
            identifier=node.alias,
            type='table'
        ) -%}
        {%- set columns = [] -%}
        {%- for column in node.columns.values() -%}
            {%- do columns.append(column.name ~ ' ' ~ column.data_type) -%}
        {%- endfor -%}
        {%- if not load_relation(table) -%}
            {%- do run_query(
                'create schema if not exists ' ~ table.without_identifier()
            ) -%}
            {%- do run_query(
                'create table if not exists ' ~ table ~ ' ('
                ~ columns | join(', ') ~ ')'
            ) -%}
            {%- do adapter.cache_added(table.incorporate(dbt_created=true)) -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
