{% macro dated_versions(recorded, key) -%}
    select
        {{ recorded }}.*,
        dbt_valid_to as valid_to,
        dbt_valid_to is null as is_current,
        dbt_is_deleted = 'True' as is_deleted,
        case
            when dbt_valid_from = min(dbt_valid_from) over ()
                then cast('1900-01-01' as datetime)
            else dbt_valid_from
        end as valid_from,
        cast(row_number() over (
            partition by {{ key | join(', ') }}
            order by dbt_valid_from
        ) as bigint) as version_number
    from {{ recorded }}
{%- endmacro %}
