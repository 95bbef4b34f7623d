{% macro is_live() -%}
    {%- set moment = var('as_of_load_id') -%}
    {%- if moment is none -%}
        removed_load_id is null
    {%- else -%}
        load_id <= {{ moment | int }}
        and (removed_load_id is null or removed_load_id > {{ moment | int }})
    {%- endif -%}
{%- endmacro %}
