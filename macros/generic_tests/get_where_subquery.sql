{% macro get_where_subquery(relation) %}
    {%- set where = config.get('where') or '' -%}
    {%- set latest = modules.re.fullmatch(
        'latest ([0-9]+) days of ([a-z_]+)[.]([a-z_]+)', where
    ) -%}
    {%- if not where -%}
        {{- return(relation) -}}
    {%- endif -%}
    {%- if latest -%}
        {%- set days, table, column = latest.groups() -%}
        {%- set last -%}
            select {{ dbt.dateadd('day', '-' ~ days, 'max(' ~ column ~ ')') }}
            from {{ api.Relation.create(
                database=relation.database,
                schema=relation.schema,
                identifier=table
            ) }}
        {%- endset -%}
        {%- set where = column ~ ' > (' ~ last ~ ')' -%}
    {%- endif -%}
    (select * from {{ relation }} where {{ where }}) as tested
{%- endmacro %}
