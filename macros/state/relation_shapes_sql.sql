{% macro relation_shapes_sql(schemas) %}
    select
        lower(found.table_schema) || '.' || lower(found.table_name) as relation,
        case when min(found.table_type) = 'VIEW' then 'view ' else 'table ' end
        || {{ dbt.listagg(
            "lower(declared.column_name) || ' ' || declared.data_type "
            ~ "|| coalesce(' ' || declared.numeric_precision || ' ' "
            ~ "|| declared.numeric_scale, '')",
            "', '", 'order by declared.ordinal_position'
        ) }} as shape
    from information_schema.tables as found
    inner join information_schema.columns as declared
        on
            found.table_catalog = declared.table_catalog
            and found.table_schema = declared.table_schema
            and found.table_name = declared.table_name
    where
        found.table_catalog in {{ either_case([target.database]) }}
        and found.table_schema in {{ either_case(schemas) }}
    group by 1
{% endmacro %}
