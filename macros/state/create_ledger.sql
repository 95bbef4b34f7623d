{% macro create_ledger() %}
    {%- set ledger = source('state', 'nodes') -%}
    {%- set columns = ledger_columns() -%}
    {%- set query -%}
        select lower(column_name) as column_name
        from information_schema.columns
        where table_catalog in {{ either_case([ledger.database]) }}
            and table_schema in {{ either_case([ledger.schema]) }}
            and table_name in {{ either_case([ledger.identifier]) }}
        order by ordinal_position
    {%- endset -%}
    {%- set found = run_query(query).columns[0].values() | list -%}
    {%- if found and found != columns | list -%}
        {%- do exceptions.warn(
            ledger.render() ~ ' has other columns than this version of '
            ~ 'Reelhouse gives it: it is replaced, and everything else is '
            ~ 'out of date.'
        ) -%}
        {%- do run_query('drop table ' ~ ledger.render()) -%}
    {%- endif -%}
    {%- if found != columns | list -%}
        {%- set schema = ledger.without_identifier().render() -%}
        {%- do run_query('create schema if not exists ' ~ schema) -%}
        {%- do run_query(
            'create table if not exists ' ~ ledger.render() ~ ' ('
            ~ columns.items() | map('join', ' ') | join(', ') ~ ')'
        ) -%}
    {%- endif -%}
{% endmacro %}
