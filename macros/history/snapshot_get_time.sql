{% macro snapshot_get_time() -%}
    {%- set loads -%}
        select max(loaded_at) as loaded_at
        from {{ source('reelhouse', 'loads') }}
        {% if var('as_of_load_id') is not none -%}
            where load_id <= {{ var('as_of_load_id') | int }}
        {%- endif %}
    {%- endset -%}
    {%- if execute -%}
        cast('{{ run_query(loads).columns[0].values()[0] }}' as timestamp)
    {%- endif -%}
{%- endmacro %}
