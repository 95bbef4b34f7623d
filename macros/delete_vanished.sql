{% macro delete_vanished(keys, changes) %}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where exists (
            select 1
            from {{ changes }} as removals
            where removals.is_removal
                and removals.load_id > {{ newest_load_id(this) }}
                {% for key in keys -%}
                    and removals.{{ key }} = {{ this.identifier }}.{{ key }}
                {% endfor %}
        )
        and not exists (
            select 1
            from {{ changes }} as ratings
            where not ratings.is_removal
                {% for key in keys -%}
                    and ratings.{{ key }} = {{ this.identifier }}.{{ key }}
                {% endfor %}
        )
    {%- endif -%}
{% endmacro %}
