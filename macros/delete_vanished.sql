{% macro delete_vanished(keys, changes, ratings) %}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where exists (
            select 1
            from {{ changes }} as changes
            where changes.is_removal
                and changes.load_id > {{ newest_load_id(this) }}
                {% for key in keys -%}
                    and changes.{{ key }} = {{ this.identifier }}.{{ key }}
                {% endfor %}
        )
        and not exists (
            select 1
            from {{ ratings }} as ratings
            where 1 = 1
                {% for key in keys -%}
                    and ratings.{{ key }} = {{ this.identifier }}.{{ key }}
                {% endfor %}
        )
    {%- endif -%}
{% endmacro %}
