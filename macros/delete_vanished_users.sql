{% macro delete_vanished_users(changes, ratings) %}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where exists (
            select 1
            from {{ changes }} as changes
            where changes.user_id = {{ this.identifier }}.user_id
                and changes.is_removal
                and changes.load_id > {{ newest_load_id(this) }}
        )
        and not exists (
            select 1
            from {{ ratings }} as ratings
            where ratings.user_id = {{ this.identifier }}.user_id
        )
    {%- endif -%}
{% endmacro %}
