{% macro newest_load_id(relation) -%}
    (select coalesce(max(load_id), 0) from {{ relation }})
{%- endmacro %}
