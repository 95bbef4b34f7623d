{% macro latest_rows(relation, latest) -%}
    {%- if latest is none -%}
        {{ relation }}
    {%- else -%}
        (
            select *
            from {{ relation }}
            where
                {{ latest.column }} > (
                    select {{ dbt.dateadd(
                        'day', -latest.days, 'max(' ~ latest.column ~ ')'
                    ) }}
                    from {{ latest.relation }}
                )
        )
    {%- endif -%}
{%- endmacro %}
