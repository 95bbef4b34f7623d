{% macro counted_by_reason(entity, counts) -%}
    {%- for layer, reason, step, condition in counts -%}
        select
            '{{ entity }}' as entity,
            '{{ layer }}' as layer,
            '{{ reason }}' as reason,
            count(*) as row_count
        from {{ step }}
        where {{ condition }}
        {{ 'union all' if not loop.last }}
    {% endfor -%}
{%- endmacro %}
