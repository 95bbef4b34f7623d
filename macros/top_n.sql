{% macro top_n(n, order_by, partition_by=[]) %}
    {%- for expression in order_by
        if expression.split(' ')[-1] not in ['asc', 'desc'] -%}
        {%- do exceptions.raise_compiler_error(
            "top_n: write asc or desc after '" ~ expression ~ "'"
        ) -%}
    {%- endfor -%}
    qualify
        row_number() over (
            {% if partition_by -%}
                partition by {{ partition_by | join(', ') }}
            {% endif -%}
            order by {{ order_by | join(', ') }}
        ) <= {{ n | int }}
{%- endmacro %}
