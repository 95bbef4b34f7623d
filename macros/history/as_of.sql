{% macro as_of(relation, moment) -%}
    (
        select *
        from {{ relation }}
        where
            valid_from <= {{ moment }}
            and (valid_to is null or valid_to > {{ moment }})
    )
{%- endmacro %}
