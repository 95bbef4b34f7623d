{% macro end_build(results) %}
    {%- if execute and vouches() -%}
        {%- set opened = opened_rows() -%}
        {%- set changed = changed_meanwhile(opened) -%}
        {%- set made = {} -%}
        {%- for result in results
            if result.status | string in ['success', 'pass', 'warn']
            and result.node.unique_id in opened
            and result.node.unique_id not in changed -%}
            {%- do made.update(
                {result.node.unique_id: result.status | string}
            ) -%}
        {%- endfor -%}
        {%- do close_rows({} if is_partial() else made) -%}
    {%- endif -%}
{% endmacro %}
