{% macro check_variables() %}
    {%- set load_id = var('as_of_load_id') -%}
    {%- if load_id is not none
        and (load_id is not integer or load_id is boolean or load_id < 1) -%}
        {%- do exceptions.raise_compiler_error(
            "The variable as_of_load_id is '" ~ load_id
            ~ "': write a whole number from 1."
        ) -%}
    {%- endif -%}
{% endmacro %}
