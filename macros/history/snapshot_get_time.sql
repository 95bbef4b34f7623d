{% macro snapshot_get_time() -%}
    {%- if execute -%}
        {%- set query -%}
            select max(loaded_at) as moment
            from {{ source('reelhouse', 'loads').render() }}
            {% if var('as_of_load_id') is not none -%}
                where load_id <= {{ var('as_of_load_id') | int }}
            {%- endif %}
            {% if load_relation(this) -%}
                union all
                select {{ dbt.dateadd(
                    'microsecond', 1, 'max(dbt_valid_from)'
                ) }}
                from {{ this }}
            {%- endif %}
        {%- endset -%}
        {%- set moment = run_query(query).columns[0].values() | select | max -%}
        cast('{{ moment.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as datetime)
    {%- endif -%}
{%- endmacro %}
