{% macro create_builds_sql(builds) %}
    create table if not exists {{ builds }} (
        invocation_id varchar not null,
        started_at timestamp not null,
        finished_at timestamp,
        load_id bigint not null,
        command varchar not null,
        is_complete boolean not null,
        reason varchar,
        published varchar,
        tests bigint,
        models bigint
    )
{% endmacro %}
