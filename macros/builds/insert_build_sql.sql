{% macro insert_build_sql(builds, load_id) %}
    insert into {{ builds }} (
        invocation_id,
        started_at,
        load_id,
        command,
        is_complete,
        reason
    )
    select
        '{{ invocation_id }}' as invocation_id,
        cast('{{ utc_now() }}' as timestamp) as started_at,
        {{ load_id | int }} as load_id,
        '{{ invocation_args_dict.which }}' as command,
        false as is_complete,
        'it has not finished' as reason
{% endmacro %}
