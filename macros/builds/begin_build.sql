{% macro begin_build() %}
    {%- if execute -%}
        {%- do check_variables() -%}
        {%- set load_id = last_load_id() -%}
        {%- if load_id is none and (
            writes_tables() or invocation_args_dict.which == 'test'
        ) -%}
            {%- do exceptions.raise_compiler_error(
                'Nothing is loaded yet, so there is nothing to build from. '
                ~ 'Run `reelhouse load` to load the files, or `reelhouse run` '
                ~ 'to go the whole way.'
            ) -%}
        {%- endif -%}
        {%- if writes_tables() -%}
            {%- set builds = builds_relation() -%}
            {%- do run_query(
                'create schema if not exists ' ~ builds.without_identifier()
            ) -%}
            {%- do run_query(create_builds_sql(builds)) -%}
            {%- do run_query(insert_build_sql(builds, load_id)) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
